// A feature's page, as small as it can be.
export function mount(host, { i18n, session }) {
  i18n.add({ zh: { "demonstration.title": "演示" }, en: { "demonstration.title": "Demonstration" } });
  let drawn = 0;
  const draw = () => { host.textContent = `${i18n.t("demonstration.title")} ${session.name} ${++drawn}`; };
  i18n.languages.addEventListener("change", draw);
  draw();
  return () => i18n.languages.removeEventListener("change", draw);
}
