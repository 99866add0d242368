"""Folding: the nodes of a graph in groups inside groups, none with more members than a person can look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_MEMBERS = 48
PART = 32


@dataclass
class Group:
    """Members are other groups, or nodes by number."""

    name: str
    members: list[Group | int] = field(default_factory=list)

    def data(self) -> Any:
        """For a page: [name, members]."""
        return [self.name, [each if isinstance(each, int) else each.data() for each in self.members]]

    def count(self) -> int:
        """How many nodes it holds."""
        return sum(1 if isinstance(each, int) else each.count() for each in self.members)


def folded(name: str, scopes: Iterable[tuple[int, Sequence[str]]]) -> Group:
    """A tree of the nodes given with the groups that each lies in, outermost first."""
    root = Group(name)
    known: dict[tuple[str, ...], Group] = {(): root}
    for number, scope in scopes:
        _group(known, tuple(scope)).members.append(number)
    _shorten(root)
    _part(root)
    return root


def _group(known: dict[tuple[str, ...], Group], scope: tuple[str, ...]) -> Group:
    found = known.get(scope)
    if found is None:
        found = known[scope] = Group(scope[-1])
        _group(known, scope[:-1]).members.append(found)
    return found


def _shorten(group: Group) -> None:
    """A group whose only member is a group says nothing by itself: it takes the members of that one."""
    for place, each in enumerate(group.members):
        if isinstance(each, int):
            continue
        while len(each.members) == 1 and isinstance(each.members[0], Group):
            inner = each.members[0]
            each = Group(f"{each.name} / {inner.name}", inner.members)
        group.members[place] = each
        _shorten(each)


def _part(group: Group) -> None:
    """Long groups in parts, and these in parts again where there are many of them."""
    for each in group.members:
        if isinstance(each, Group):
            _part(each)
    while len(group.members) > MOST_MEMBERS:
        members = group.members
        starts = range(0, len(members), PART)
        group.members = [_range(members[s : s + PART], f"part {n + 1} of {len(starts)}") for n, s in enumerate(starts)]


def _range(members: list[Group | int], name: str) -> Group:
    """Some of the members of a group, named after the first and the last where these have names."""
    ends = [each.name for each in (members[0], members[-1]) if isinstance(each, Group)]
    return Group(" ... ".join(ends) if len(ends) == 2 and len(members) > 1 else name, members)
