import os
import pwd

import pytest

WRONG = {"name": "shan", "password": "falsch"}
RIGHT = {"name": "shan", "password": "正确的口令 🚒"}


async def test_sign_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(client):
    answer = await client.post("/api/v1/session", json=RIGHT)
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    body = answer.json()
    assert body["display_name"] == "单雄信"
    assert body["rights"] == [{"verb": "*", "resource": "*"}]
    assert "token" not in str(body)
    me = await client.get("/api/v1/session")
    assert me.json()["csrf"] == body["csrf"]


async def test_the_service_is_told_where_a_sign_in_comes_from(client, served):
    await client.post("/api/v1/session", json=WRONG)
    assert served.authenticator.sources == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("language", "title"), [("zh-CN,zh;q=0.9,en;q=0.5", "用户名或口令错误。"), ("en", "Name or password is wrong.")]
)
async def test_a_wrong_password_is_told_in_the_readers_language(client, language, title):
    answer = await client.post("/api/v1/session", json=WRONG, headers={"accept-language": language})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["title"] == title
    assert answer.json()["code"] == "auth.sign_in_refused"
    assert answer.json()["status"] == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/api/v1/session", "/api/v1/status", "/api/v1/events", "/api/v1/journal", "/metrics", "/api/v1/pages"]
)
async def test_nothing_is_told_to_nobody(client, path):
    answer = await client.get(path)
    assert answer.status_code == 401
    assert answer.json()["code"] == "auth.sign_in_required"


async def test_unsafe_methods_need_the_csrf_proof(signed_in, served):
    body = {"to": "110"}
    proof = signed_in.headers.pop("X-CSRF-Token")
    assert (await signed_in.post("/api/v1/commands/tel.dial", json=body)).json()["code"] == "web.csrf"
    wrong = {"X-CSRF-Token": "0" * len(proof)}
    assert (await signed_in.post("/api/v1/commands/tel.dial", json=body, headers=wrong)).status_code == 403
    odd = {"X-CSRF-Token": "ä".encode()}
    assert (await signed_in.post("/api/v1/commands/tel.dial", json=body, headers=odd)).status_code == 403
    assert not served.dispatcher.taken
    right = {"X-CSRF-Token": proof}
    assert (await signed_in.post("/api/v1/commands/tel.dial", json=body, headers=right)).status_code == 202


async def test_sign_out_ends_the_session_and_removes_the_cookie(signed_in, served):
    answer = await signed_in.delete("/api/v1/session")
    assert answer.status_code == 204
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert not served.authenticator.sessions
    assert (await signed_in.get("/api/v1/session")).status_code == 401


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer wall:s3cret", 200),
        ("bearer  wall:s3cret", 200),
        ("Bearer wall:wrong", 401),
        ("Bearer wall", 401),
        ("Bearer :", 401),
        ("Basic d2FsbDpzM2NyZXQ=", 401),
    ],
)
async def test_applications_come_with_their_token(client, authorization, status):
    answer = await client.get("/api/v1/session", headers={"authorization": authorization})
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_needs_no_csrf_proof_but_its_rights(client):
    headers = {"authorization": "Bearer wall:s3cret"}
    answer = await client.post("/api/v1/commands/tel.dial", json={"to": "110"}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "auth.not_permitted"


async def test_the_local_socket_knows_its_peer_from_the_kernel(local, served):
    answer = await local.get("/api/v1/session", headers={"x-forwarded-user": "mallory", "x-trunkline-peer": "0"})
    assert answer.json()["kind"] == "local"
    user = pwd.getpwuid(os.getuid()).pw_name
    assert answer.json()["name"] == user
    assert served.authenticator.locals == [(os.getuid(), user)]
    assert (await local.post("/api/v1/commands/tel.dial", json={"to": "110"})).status_code == 202
    assert served.socket_path.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"name":"a"}', b'{"name":"a","password":"b","x":1}', b"\xff\xfe"])
async def test_a_wrong_body_is_a_problem_and_not_a_crash(client, body):
    answer = await client.post("/api/v1/session", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("web.bad_request", "input.invalid")
    assert "Traceback" not in answer.text
