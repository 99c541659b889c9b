"""A real Asterisk with Local channels only, in a folder of its own, for tests and benchmarks of the Asterisk side.

Its dialplan asks the FastAGI server whose port and script the originating action names.
"""

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.app.stand.asterisk import Installation, find_asterisk
from gateway.app.stand.ports import free_ports

USER = "trunkline"
SECRET = "仇英-secret-0123456789"
_MODULES = """
    app_dial app_verbose app_userevent app_celgenuserevent app_echo app_stack app_playback app_confbridge
    bridge_simple bridge_softmix bridge_builtin_features
    cel_custom res_cdrel_custom codec_alaw codec_ulaw codec_resample format_wav format_pcm func_callerid func_channel
    func_strings func_timeout func_logic pbx_config res_agi res_timing_timerfd res_clioriginate res_speech
    func_cdr res_musiconhold
"""

_EXTENSIONS = """
[general]
[tl-test]
exten => echo,1,Answer(,i)
 same => n,Wait(60)
exten => hold,1,Wait(60)
exten => quick,1,NoOp()
 same => n,Hangup()
exten => agi,1,Set(CALLERID(name)=${TL_NAME})
 same => n,AGI(agi://127.0.0.1:${TL_PORT}/${TL_SCRIPT},${TL_ARGUMENT})
 same => n,UserEvent(AgiDone,Status: ${AGISTATUS},Got: ${TL_GOT})
 same => n,Wait(${TL_WAIT})
 same => n,Hangup()
exten => bench,1,AGI(agi://127.0.0.1:${TL_PORT}/bench)
 same => n,Answer(,i)
 same => n,Hangup()
exten => plain,1,Set(TL_CALL=01jd3v8x)
 same => n,Set(TL_TREATMENT=ring)
 same => n,Set(TL_PHONES=PJSIP/101&PJSIP/102)
 same => n,Set(TL_RING_S=30)
 same => n,Set(TL_COPY=${TL_CALL})
 same => n,Answer(,i)
 same => n,Hangup()
exten => classic,1,AGI(${TL_SCRIPT})
 same => n,UserEvent(AgiDone,Status: ${AGISTATUS},Got: ${TL_GOT})
 same => n,Hangup()
exten => user,1,UserEvent(Shown,Text: ${TL_TEXT})
 same => n,Hangup()
exten => answer,1,Answer(,i)
 same => n,Wait(0.1)
 same => n,Hangup()
"""

_CEL_FIELDS = "eventtype,eventtime,uniqueid,linkedid,channame,context,exten,num,dnid,eventextra"


@dataclass
class BareAsterisk:
    """A running Asterisk."""

    folder: Path
    ami_port: int
    process: subprocess.Popen[bytes]
    command: list[str]

    @property
    def cel_path(self) -> Path:
        return self.folder / "log" / "cel-custom" / "trunkline.csv"

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(10)

    def start(self) -> None:
        log = (self.folder / "asterisk.out").open("ab")
        with log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        self.wait()

    def wait(self, deadline_s: float = 30.0) -> None:
        """Wait until the manager interface greets."""
        until = time.monotonic() + deadline_s
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"Asterisk ended: {(self.folder / 'asterisk.out').read_text(errors='replace')[-2000:]}"
                )
            try:
                with socket.create_connection(("127.0.0.1", self.ami_port), 1) as connection:
                    if connection.recv(8).startswith(b"Asterisk"):
                        return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("Asterisk did not come up")


@contextmanager
def bare_asterisk() -> Iterator[BareAsterisk]:
    """Start an Asterisk, yield it, kill it."""
    installation = find_asterisk()
    with tempfile.TemporaryDirectory(prefix="tl-ast-") as name:
        folder = Path(name)
        (port,) = free_ports(1)
        command = _write(folder, installation, port)
        asterisk = BareAsterisk(folder, port, None, command)  # type: ignore[arg-type]
        asterisk.start()
        try:
            yield asterisk
        finally:
            asterisk.stop()


def _write(folder: Path, installation: Installation, port: int) -> list[str]:
    conf = folder / "etc"
    for part in ("etc", "log/cel-custom", "run", "spool", "lib", "cache"):
        (folder / part).mkdir(parents=True)
    files = {
        "asterisk.conf": f"""[directories](!)
[directories]
astetcdir => {conf}
astmoddir => {installation.modules}
astvarlibdir => {folder}/lib
astdbdir => {folder}/lib
astkeydir => {folder}/lib
astdatadir => {installation.data}
astagidir => {folder}/lib
astspooldir => {folder}/spool
astrundir => {folder}/run
astlogdir => {folder}/log
astcachedir => {folder}/cache
[options]
documentation_language = en
""",
        "modules.conf": "[modules]\nautoload=no\n" + "".join(f"load={one}.so\n" for one in _MODULES.split()),
        "logger.conf": "[general]\n[logfiles]\nmessages.log => warning,error\n",
        "manager.conf": f"""[general]
enabled=yes
bindaddr=127.0.0.1
port={port}
[{USER}]
secret={SECRET}
read=all
write=all
writetimeout=10000
[narrow]
secret={SECRET}
read=call
write=call
""",
        "extensions.conf": _EXTENSIONS,
        "cel.conf": "[general]\nenable=yes\nevents=ALL\n",
        "cel_custom.conf": f"[mappings]\n[trunkline.csv]\nformat=dsv\nquoting_method=all\nfields={_CEL_FIELDS}\n",
        "cdr.conf": "[general]\nenable=no\n",
        "confbridge.conf": "[general]\n",
        "musiconhold.conf": "[general]\n",
        "rtp.conf": "[general]\n",
        "http.conf": "[general]\nenabled=no\n",
    }
    for file, text in files.items():
        (conf / file).write_text(text, encoding="utf-8")
    return [*installation.command, "-f", "-C", str(conf / "asterisk.conf")]
