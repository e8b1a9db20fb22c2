"""The chunks that one process works on, and whose turn it is."""

from __future__ import annotations

from collections import Counter, deque

from understudy.batches.work import Work

# Chunks of one workspace that wait for places at an engine. Its others stay where they are: whom that engine does not
# concern must not wait for it too.
_MOST_BLOCKED = 4


class Works:
    """`running`: requests that are under way."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, int], Work] = {}
        # Those of them with requests to begin, in turns.
        self._turns: deque[Work] = deque()
        self.running = 0

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, work: Work) -> bool:
        return self._all.get((work.claim.batch_id, work.claim.number)) is work

    def all(self) -> list[Work]:
        return list(self._all.values())

    def batch_ids(self) -> set[str]:
        return {batch_id for batch_id, _ in self._all}

    def add(self, work: Work) -> Work | None:
        """Returns what there was of the same chunk, from an attempt that somebody may have believed dead."""
        key = work.claim.batch_id, work.claim.number
        former = self._all.get(key)
        self._all[key] = work
        self._turns.append(work)
        return former

    def remove(self, work: Work) -> None:
        if work in self:
            del self._all[work.claim.batch_id, work.claim.number]

    def clear(self) -> None:
        self._all.clear()
        self._turns.clear()

    @property
    def size(self) -> int:
        """Bytes of requests that are held."""
        return sum(work.claim.length for work in self._all.values())

    @property
    def unwritten(self) -> int:
        """Bytes of results that are held."""
        return sum(work.unwritten for work in self._all.values())

    @property
    def waiting(self) -> int:
        """Requests that could be begun at once."""
        return sum(len(work.todo) for work in self._turns if not work.is_blocked)

    @property
    def are_blocked(self) -> bool:
        return any(work.todo and work.is_blocked for work in self._turns)

    @property
    def is_ready(self) -> bool:
        return any(work.todo and not work.is_blocked for work in self._turns)

    def crowded(self) -> list[str]:
        """Workspaces of which no other chunk is to be claimed for now."""
        blocked = Counter(work.claim.workspace_id for work in self._turns if work.todo and work.is_blocked)
        return [workspace for workspace, count in blocked.items() if count >= _MOST_BLOCKED]

    def next(self) -> Work | None:
        """Whose turn it is: each chunk's, one request at a time. One of which a request waits for a place at an engine
        is passed over: it would only have others wait there, for which there is no place then elsewhere."""
        turns = self._turns
        for _ in range(len(turns)):
            work = turns[0]
            if not work.todo:
                turns.popleft()
                continue
            turns.rotate(-1)
            if not work.is_blocked:
                return work
        return None
