"""How sources are spread over workers."""

from hypothesis import given
from hypothesis import strategies as st

from stream_match.fleet.spread import Room, in_order_of, quotas

rooms = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(Room, held=st.integers(0, 30), most=st.none() | st.integers(0, 30)),
    min_size=1,
)


@given(n=st.integers(0, 100), workers=rooms)
def test_all_sources_have_a_place_if_there_is_room_for_them(n, workers):
    found = quotas(n, workers)
    room = sum(n if one.most is None else one.most for one in workers.values())
    assert sum(found.values()) == min(n, room)
    assert found.keys() == workers.keys()


@given(n=st.integers(0, 100), workers=rooms)
def test_nobody_has_two_more_than_one_who_has_room(n, workers):
    found = quotas(n, workers)
    for node, quota in found.items():
        most = workers[node].most
        assert most is None or quota <= most
        if most is None or quota < most:
            assert max(found.values()) - quota <= 1


@given(n=st.integers(0, 60), names=st.sets(st.sampled_from("abcdefgh"), min_size=1))
def test_what_is_spread_stays_where_it_is(n, names):
    held = quotas(n, dict.fromkeys(names, Room()))
    assert quotas(n, {node: Room(count) for node, count in held.items()}) == held


def test_workers_take_in_different_orders():
    names = [f"s{number}" for number in range(20)]
    assert sorted(in_order_of("attic", names)) == sorted(names)
    assert in_order_of("attic", names) == in_order_of("attic", reversed(names))
    assert in_order_of("attic", names) != in_order_of("barn", names)
