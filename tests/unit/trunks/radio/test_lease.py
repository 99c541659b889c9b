from hypothesis import given
from hypothesis import strategies as st

from trunks.radio.lease import LEASE_S, Lease


def test_it_lapses_half_a_second_after_the_last_renewal():
    lease = Lease()
    assert lease.take("operator:单雄信", 10.0) == ""
    assert lease.renew("operator:单雄信", 10.4)
    assert lease.due(10.89) == ""
    assert lease.due(10.9) == "lapsed"
    assert not lease.renew("operator:单雄信", 10.91)


def test_one_holder_at_a_time():
    lease = Lease()
    lease.take("patch:1", 0.0)
    assert lease.take("patch:2", 0.1) == "held"
    assert not lease.renew("patch:2", 0.1)


def test_the_hard_limit_stays_until_somebody_lets_go():
    lease = Lease(hard_limit_s=1.0)
    lease.take("a", 0.0)
    for tenth in range(1, 10):
        assert lease.renew("a", tenth / 10)
    assert lease.due(1.0) == "time_limit"
    lease.end("time_limit")
    assert lease.take("a", 1.1) == "time_limit"
    lease.give_up()
    assert lease.take("a", 1.2) == ""


@given(st.lists(st.tuples(st.sampled_from(["take", "renew", "wait", "let_go"]), st.floats(0, 0.7)), max_size=60))
def test_nobody_holds_it_longer_than_allowed(steps):
    lease, now_s, renewed_s, began_s = Lease(hard_limit_s=2.0), 0.0, None, None
    for step, delay_s in steps:
        now_s += delay_s
        if reason := lease.due(now_s):
            lease.end(reason)
            renewed_s = began_s = None
        if step == "take" and not lease.take("a", now_s):
            began_s = now_s if began_s is None else began_s
            renewed_s = now_s
        elif step == "renew" and lease.renew("a", now_s):
            renewed_s = now_s
        elif step == "let_go":
            lease.give_up()
            renewed_s = began_s = None
        if lease.holder:
            assert now_s < renewed_s + LEASE_S
            assert now_s < began_s + 2.0
            assert lease.deadline_s() <= renewed_s + LEASE_S
