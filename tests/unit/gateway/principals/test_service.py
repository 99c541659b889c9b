import asyncio
import json

import pytest
import sqlalchemy as sa

from gateway.core.clock import ManualClock
from gateway.core.errors import InvalidInputError, NotFoundError
from gateway.core.text import Text
from gateway.principals import errors
from gateway.principals.audit import AuditTrail
from gateway.principals.model import SYSTEM, NotPermittedError, PrincipalKind, Right
from gateway.principals.options import PrincipalsOptions
from gateway.principals.passwords import PasswordHasher, check_policy
from gateway.principals.repository import SignInFailureRow
from gateway.principals.roles import DEFAULT_ROLES
from gateway.principals.service import PrincipalService
from tests.support.memory_store import MemoryStore

CHEAP = PrincipalsOptions(argon2_time_cost=1, argon2_memory_kib=8)
PASSWORD = "correct-horse-42"


class Broker:
    """Hears of credentials as the broker does."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}

    async def granted(self, application, secret):
        self.secrets[application.name] = secret

    async def revoked(self, name):
        del self.secrets[name]


class House:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock).create()
        self.audit = AuditTrail(self.store)
        self.broker = Broker()
        self.service = PrincipalService(self.store, self.clock, CHEAP, self.audit, sinks=[self.broker])

    def dump(self) -> str:
        return "\n".join(self.store.engine.raw_connection().driver_connection.iterdump())


@pytest.fixture
async def house():
    house = House()
    await house.service.start()
    yield house
    house.service.close()
    house.store.close()


@pytest.fixture
async def watch(house):
    """A house with one administrator and one operator."""
    await house.service.bootstrap_administrator("admin", PASSWORD)
    await house.service.add_operator(SYSTEM, "zeng", "曾国藩", ["operator"], PASSWORD)
    return house


async def test_the_first_administrator_is_made_once_with_a_password_made_up(house):
    password = await house.service.bootstrap_administrator("admin")
    assert len(password) >= 20
    session = await house.service.sign_in("admin", password)
    assert session.principal.may("sys.operator_add", "anything")
    assert password not in repr(session)
    assert session.token not in repr(session)
    with pytest.raises(NotPermittedError):
        await house.service.bootstrap_administrator("second")


async def test_nothing_secret_is_kept_in_clear(watch):
    session = await watch.service.sign_in("zeng", PASSWORD)
    issued = await watch.service.applications.add(SYSTEM, "cad", [Right("tel.*")])
    dump = watch.dump()
    for secret in (PASSWORD, session.token, issued.secret):
        assert secret not in dump
    assert "$argon2id$" in dump
    assert issued.secret not in repr(issued)


@pytest.mark.parametrize(
    ("password", "name"),
    [
        ("short", "zeng"),
        ("x" * 257, "zeng"),
        ("my-zeng-password", "zeng"),
        ("aaaaaaaaaabb", "zeng"),
        ("九个字符的密码不够", "q"),
    ],
)
def test_weak_passwords_are_refused(password, name):
    with pytest.raises(errors.PasswordPolicyError):
        check_policy(password, name)


async def test_a_password_may_be_typed_in_either_unicode_form():
    hasher = PasswordHasher(CHEAP)
    digest = await hasher.digest("cafe\u0301-𠮷野家-🚒")
    assert await hasher.verify(digest, "caf\u00e9-𠮷野家-🚒") == digest
    assert await hasher.verify(digest, "cafe-𠮷野家-🚒") is None
    assert await hasher.verify(None, "anything") is None
    assert await hasher.verify("no digest", "anything") is None
    assert await hasher.verify(digest, "\ud800") is None
    hasher.close()


async def test_a_digest_is_made_anew_when_the_cost_is_raised(watch):
    watch.service._hasher.close()
    dearer = PrincipalsOptions(argon2_time_cost=2, argon2_memory_kib=8)
    service = PrincipalService(watch.store, watch.clock, dearer, watch.audit)
    assert ",t=2," not in watch.dump()
    await service.sign_in("zeng", PASSWORD)
    assert ",t=2," in watch.dump()
    service.close()


async def test_too_many_sign_ins_at_once_are_told_to_come_again(watch):
    attempts = [asyncio.create_task(watch.service.sign_in("zeng", PASSWORD)) for _ in range(60)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert any(isinstance(result, errors.SignInBusyError) for result in results)
    assert any(not isinstance(result, BaseException) for result in results)


async def test_whatever_is_wrong_the_answer_is_the_same(watch):
    await watch.service.add_operator(SYSTEM, "gone", "", ["operator"], PASSWORD)
    await watch.service.modify_operator(SYSTEM, "gone", disabled=True)
    texts = set()
    for name, password in (("nobody", PASSWORD), ("zeng", "wrong"), ("gone", PASSWORD), ("", ""), ("a\x00b", "\ud800")):
        with pytest.raises(errors.SignInRefusedError) as caught:
            await watch.service.sign_in(name, password)
        texts.add(str(caught.value))
    assert len(texts) == 1
    assert "nobody" not in watch.dump()  # people type passwords into the field of the name


async def test_a_name_is_locked_out_from_one_place_and_not_from_others(watch):
    for _ in range(5):
        with pytest.raises(errors.SignInRefusedError):
            await watch.service.sign_in("zeng", "wrong", source="10.0.0.66")
    with pytest.raises(errors.SignInRefusedError):
        await watch.service.sign_in("zeng", PASSWORD, source="10.0.0.66")
    await watch.service.sign_in("zeng", PASSWORD, source="10.0.0.2")
    await watch.clock.advance(60)
    await watch.service.sign_in("zeng", PASSWORD, source="10.0.0.66")


async def test_guesses_made_side_by_side_all_count(watch):
    guesses = [watch.service.sign_in("zeng", f"wrong-{number}") for number in range(8)]
    guesses.append(watch.service.sign_in("zeng", PASSWORD))
    results = await asyncio.gather(*guesses, return_exceptions=True)
    assert all(isinstance(result, errors.SignInRefusedError) for result in results)


async def test_a_flood_of_guesses_cannot_fill_the_audit_trail(watch):
    before = (await watch.audit.head()).seq
    for _ in range(100):
        with pytest.raises(errors.SignInRefusedError):
            await watch.service.sign_in("nobody", "wrong", source="10.0.0.66")
    assert (await watch.audit.head()).seq - before == 30


async def test_a_session_lives_by_use_and_not_for_ever(watch):
    session = await watch.service.sign_in("zeng", PASSWORD)
    for _ in range(2):
        await watch.clock.advance(11 * 3600)
        assert (await watch.service.resolve_session(session.token)).display_name == "曾国藩"
    await watch.clock.advance(5 * 3600)  # 27 hours: over, though it was used
    with pytest.raises(errors.SessionEndedError):
        await watch.service.resolve_session(session.token)
    idle = await watch.service.sign_in("zeng", PASSWORD)
    await watch.clock.advance(12 * 3600)
    with pytest.raises(errors.SessionEndedError):
        await watch.service.resolve_session(idle.token)


async def test_use_of_a_session_is_written_down_now_and_then_only(watch):
    session = await watch.service.sign_in("zeng", PASSWORD)
    for _ in range(100):
        await watch.service.resolve_session(session.token)
    assert "session.renew" not in watch.store.names


async def test_sessions_end_by_sign_out_disabling_and_a_new_password(watch):
    first = await watch.service.sign_in("zeng", PASSWORD)
    await watch.service.sign_out(first.token)
    await watch.service.sign_out("never there")
    second = await watch.service.sign_in("zeng", PASSWORD)
    await watch.service.set_password(SYSTEM, "zeng", "another-good-one")
    third = await watch.service.sign_in("zeng", "another-good-one")
    await watch.service.modify_operator(SYSTEM, "zeng", disabled=True)
    for session in (first, second, third):
        with pytest.raises(errors.SessionEndedError):
            await watch.service.resolve_session(session.token)


async def test_the_oldest_session_gives_way(watch):
    sessions = []
    for _ in range(9):
        sessions.append(await watch.service.sign_in("zeng", PASSWORD))
        await watch.clock.advance(1)
    with pytest.raises(errors.SessionEndedError):
        await watch.service.resolve_session(sessions[0].token)
    await watch.service.resolve_session(sessions[1].token)


async def test_the_last_administrator_cannot_be_lost(watch):
    for change in ({"disabled": True}, {"roles": ["operator"]}):
        with pytest.raises(errors.LastAdministratorError):
            await watch.service.modify_operator(SYSTEM, "admin", **change)
    await watch.service.modify_operator(SYSTEM, "zeng", roles=["administrator"])
    await watch.service.modify_operator(SYSTEM, "admin", disabled=True)
    operators = await watch.service.operators()
    assert [(one.name, one.roles, one.disabled) for one in operators] == [
        ("admin", ("administrator",), True),
        ("zeng", ("administrator",), False),
    ]


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (lambda service: service.add_operator(SYSTEM, "zeng", "", [], PASSWORD), errors.NameTakenError),
        (lambda service: service.add_operator(SYSTEM, "Zeng", "", [], PASSWORD), InvalidInputError),
        (lambda service: service.add_operator(SYSTEM, "new", "", ["king"], PASSWORD), NotFoundError),
        (lambda service: service.add_operator(SYSTEM, "new", "a\nb", [], PASSWORD), InvalidInputError),
        (lambda service: service.modify_operator(SYSTEM, "nobody", disabled=True), NotFoundError),
        (lambda service: service.set_password(SYSTEM, "nobody", PASSWORD), NotFoundError),
        (lambda service: service.change_password(SYSTEM, PASSWORD, PASSWORD), NotPermittedError),
        (lambda service: service.set_role(SYSTEM, "administrator", Text("", ""), []), NotPermittedError),
        (lambda service: service.set_role(SYSTEM, "r", Text("", ""), [Right("tel.[a]")]), InvalidInputError),
        (lambda service: service.set_role(SYSTEM, "r", Text("", ""), [Right("*", "line 1")]), InvalidInputError),
        (lambda service: service.applications.add(SYSTEM, "a/b", []), InvalidInputError),
        (lambda service: service.applications.rotate(SYSTEM, "nobody"), NotFoundError),
        (lambda service: service.principal(PrincipalKind.OPERATOR, "nobody"), NotFoundError),
        (lambda service: service.principal(PrincipalKind.APPLICATION, "nobody"), NotFoundError),
    ],
)
async def test_what_is_refused_changes_nothing(watch, work, error):
    before = watch.dump()
    with pytest.raises(error):
        await work(watch.service)
    assert watch.dump() == before


async def test_roles_give_rights_and_changed_roles_stay_changed(watch):
    zeng = await watch.service.principal(PrincipalKind.OPERATOR, "zeng")
    assert zeng.may("tel.dial", "line-1")
    assert zeng.may("ops.incident_read", "incidents")
    assert not zeng.may("radio.ptt", "desk-1")
    assert not zeng.may("sys.operator_add")
    await watch.service.set_role(SYSTEM, "operator", Text("Operator", "接警员"), [Right("tel.dial", "line-?")])
    await watch.service.start()
    zeng = await watch.service.principal(PrincipalKind.OPERATOR, "zeng")
    assert zeng.rights == (Right("tel.dial", "line-?"),)
    roles = {role.name: role for role in await watch.service.roles()}
    assert set(roles) == {role.name for role in DEFAULT_ROLES}
    assert roles["dispatcher"].title.zh == "调度员"


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("observer", "rec.read", "tel.dial"),
        ("operator", "tel.dial", "radio.ptt"),
        ("dispatcher", "radio.ptt", "rec.delete"),
        ("supervisor", "rec.delete", "sys.operator_add"),
        ("administrator", "sys.operator_add", None),
    ],
)
def test_the_default_roles(role, may, may_not):
    (rights,) = [one.rights for one in DEFAULT_ROLES if one.name == role]
    assert any(right.covers(may, "x") for right in rights)
    assert may_not is None or not any(right.covers(may_not, "x") for right in rights)


async def test_an_application_is_known_by_its_newest_secret_until_it_is_revoked(house):
    applications, resolve = house.service.applications, house.service.resolve_application
    first = await applications.add(SYSTEM, "cad", [Right("tel.*", "line-*")], "调度台")
    principal = await resolve("cad", first.secret)
    assert (str(principal), principal.rights) == ("application:cad", (Right("tel.*", "line-*"),))
    second = await applications.rotate(SYSTEM, "cad")
    assert house.broker.secrets == {"cad": second.secret}
    for name, secret in (("cad", first.secret), ("cad", ""), ("nobody", second.secret), ("cad", "\ud800")):
        with pytest.raises(errors.CredentialRefusedError):
            await resolve(name, secret)
    await applications.revoke(SYSTEM, "cad")
    assert house.broker.secrets == {}
    with pytest.raises(errors.CredentialRefusedError):
        await resolve("cad", second.secret)
    with pytest.raises(NotFoundError):
        await applications.principal("cad")
    again = await applications.add(SYSTEM, "cad", [])
    assert (await resolve("cad", again.secret)).rights == ()


async def test_what_is_remembered_of_wrong_passwords_is_forgotten_when_it_counts_no_more(watch):
    def kept() -> int:
        with watch.store.engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(SignInFailureRow)).scalar_one()

    for last in range(1, 6):
        with pytest.raises(errors.SignInRefusedError):
            await watch.service.sign_in("zeng", "wrong-password-1", source=f"192.0.2.{last}")
    assert kept() == 5
    await watch.clock.advance(61)
    with pytest.raises(errors.SignInRefusedError):
        await watch.service.sign_in("zeng", "wrong-password-1", source="192.0.2.9")
    assert kept() == 1


async def test_who_may_act_now_leaves_out_the_revoked_and_those_whose_secret_is_over(house):
    applications = house.service.applications
    await applications.add(SYSTEM, "cad", [Right("tel.*")])
    await applications.add(SYSTEM, "gone", [Right("*")])
    await applications.revoke(SYSTEM, "gone")
    assert [(one.name, one.rights) for one in await applications.active()] == [("cad", (Right("tel.*"),))]


async def test_a_secret_may_end_by_time():
    house = House()
    options = PrincipalsOptions(argon2_time_cost=1, argon2_memory_kib=8, application_secret_s=3600)
    service = PrincipalService(house.store, house.clock, options, house.audit)
    issued = await service.applications.add(SYSTEM, "cad", [])
    await service.resolve_application("cad", issued.secret)
    await house.clock.advance(3600)
    with pytest.raises(errors.CredentialRefusedError):
        await service.resolve_application("cad", issued.secret)
    with pytest.raises(errors.CredentialRefusedError):
        await service.principal(PrincipalKind.APPLICATION, "cad")
    assert await service.applications.active() == []
    house.service.close()
    service.close()
    house.store.close()


async def test_only_root_and_the_daemons_own_user_are_administrators(house):
    root = await house.service.local(0, "root")
    assert (str(root), root.may("sys.app_add")) == ("local:root", True)
    house.service._daemon_uid = 990
    assert (await house.service.local(990, "trunkline")).may("sys.app_add")
    other = await house.service.local(1000, "Zhang San")
    assert (other.name, other.rights) == ("uid-1000", ())


async def test_every_change_is_audited_with_who_did_it(watch):
    root = await watch.service.local(0, "root")
    await watch.service.applications.add(root, "cad", [Right("tel.*")])
    await watch.service.modify_operator(root, "zeng", roles=["dispatcher"])
    rows = await watch.audit.query(principal="local:root")
    assert [(row.action, row.resource) for row in rows] == [("sys.operator_modify", "zeng"), ("sys.app_add", "cad")]
    assert json.dumps(rows[0].details) == '{"changed": [], "disabled": null, "roles": ["dispatcher"]}'
