"""What was made of a list is found again for its very objects alone, and only so much is kept."""

from __future__ import annotations

from understudy.engines.by_identity import ByIdentity


def test_the_same_objects_are_found_in_any_list_and_others_are_not() -> None:
    kept: ByIdentity[str] = ByIdentity(2)
    one, other = {"name": "f"}, {"name": "f"}
    kept.keep([one, other], "made")
    assert kept.find((one, other)) == "made"
    assert kept.find([other, one]) is None
    assert kept.find([one]) is None
    assert kept.find([{"name": "f"}, other]) is None


def test_the_list_that_was_not_used_the_longest_goes() -> None:
    kept: ByIdentity[int] = ByIdentity(2)
    lists = [[{"place": place}] for place in range(3)]
    kept.keep(lists[0], 0)
    kept.keep(lists[1], 1)
    assert kept.find(lists[0]) == 0
    kept.keep(lists[2], 2)
    assert [kept.find(one) for one in lists] == [0, None, 2]
