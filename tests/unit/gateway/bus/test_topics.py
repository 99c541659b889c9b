import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bus.topics import Topic, TopicKind, Topics, matches
from gateway.core.errors import InvalidInputError
from gateway.core.events import DOMAINS

LEVELS = st.from_regex(re.compile(r"[a-z0-9_-]{1,32}"), fullmatch=True)
IDS = st.from_regex(re.compile(r"[A-Za-z0-9_-]{1,64}"), fullmatch=True)
DOMAIN = st.sampled_from(DOMAINS)
TOPICS = Topics("duty")


@given(DOMAIN, LEVELS, LEVELS, st.booleans())
def test_an_event_topic_is_read_as_it_was_built(domain: str, resource: str, name: str, sensitive: bool) -> None:  # noqa: FBT001
    topic = TOPICS.event(domain, resource, name, sensitive=sensitive)
    assert TOPICS.parse(topic) == Topic(
        TopicKind.EVENT, domain=domain, resource=resource, name=name, sensitive=sensitive
    )


@given(LEVELS, DOMAIN, LEVELS, IDS)
def test_command_answer_and_replay_are_read_as_built(app: str, domain: str, verb: str, command_id: str) -> None:
    command = TOPICS.command(app, domain, verb)
    assert TOPICS.parse(command) == Topic(TopicKind.COMMAND, domain=domain, name=verb, app=app)
    assert matches(TOPICS.commands, command)
    result = TOPICS.result(app, command_id)
    assert TOPICS.parse(result) == Topic(TopicKind.RESULT, name=command_id, app=app)
    assert TOPICS.is_answer_of(result, app)
    assert TOPICS.parse(TOPICS.replay(app)) == Topic(TopicKind.REPLAY, app=app)


@given(DOMAIN, LEVELS)
def test_a_state_topic_is_read_as_it_was_built(domain: str, resource: str) -> None:
    topic = TOPICS.resource_state(domain, resource)
    assert TOPICS.parse(topic) == Topic(TopicKind.RESOURCE_STATE, domain=domain, resource=resource)
    assert any(matches(pattern, topic) for pattern in TOPICS.retained)


@given(st.text(max_size=80))
def test_any_text_is_survived(text: str) -> None:
    TOPICS.parse(text)
    TOPICS.parse(f"gw/v1/duty/{text}")
    TOPICS.is_answer_of(f"gw/v1/duty/res/app/{text}", "app")
    matches("gw/v1/duty/#", text)


@pytest.mark.parametrize(
    "bad", ["", "+", "#", "a/b", "A B", "13800000000+", "单雄信", "a b", "x" * 65, "a\x00", "é", "line 1", "\n"]
)
def test_a_level_that_is_not_minted_is_refused(bad: str) -> None:
    for build in (
        lambda: Topics(bad),
        lambda: TOPICS.event("tel", bad, "x"),
        lambda: TOPICS.event("tel", "x", bad),
        lambda: TOPICS.command(bad, "tel", "dial"),
        lambda: TOPICS.result("app", bad),
        lambda: TOPICS.resource_state("tel", bad),
        lambda: TOPICS.event(bad, "x", "y"),
    ):
        with pytest.raises(InvalidInputError):
            build()


@pytest.mark.parametrize(
    "topic",
    [
        "gw/v1/duty/res/app/",
        "gw/v1/duty/res/app",
        "gw/v1/duty/res/other/1",
        "gw/v1/duty/res/app/#",
        "gw/v1/duty/res/app/+",
        "gw/v1/duty/res/app/../other/1",
        "gw/v1/duty/cmd/app/tel/dial",
        "$CONTROL/dynamic-security/v1",
    ],
)
def test_answers_stay_under_the_callers_own_prefix(topic: str) -> None:
    assert not TOPICS.is_answer_of(topic, "app")


def test_foreign_topics_are_not_ours() -> None:
    assert TOPICS.parse("gw/v1/other/state") is None
    assert TOPICS.parse("gw/v1/duty") is None
    assert TOPICS.parse("gw/v1/duty/tel/line-1/evt/x/other") is None


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/+", "a", False),
        ("a/+", "a/", True),
        ("+/b", "a/b", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a/b", "a/b/c", False),
    ],
)
def test_filters_match_as_the_standard_says(pattern: str, topic: str, expected: bool) -> None:  # noqa: FBT001
    assert matches(pattern, topic) is expected
