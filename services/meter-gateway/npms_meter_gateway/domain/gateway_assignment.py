"""Who of several processes speaks to which gateway: the same answer for all who ask."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from math import ceil
from uuid import UUID


def assign_gateways(workers: Sequence[UUID], gateway_ids: Iterable[int]) -> Mapping[int, UUID]:
    """Each gateway's worker: the first of the gateway's own ranking whose share is not full.

    A share is the number of gateways by the number of workers, rounded up. A worker that comes
    or goes moves its own share and little else (rendezvous hashing).
    """
    ordered = sorted(gateway_ids)
    left = dict.fromkeys(workers, ceil(len(ordered) / max(len(workers), 1)))
    chosen: dict[int, UUID] = {}
    for gateway_id in ordered:
        open_ones = (worker for worker, room in left.items() if room)
        worker = max(open_ones, key=lambda candidate: _rank(candidate, gateway_id), default=None)
        if worker is not None:
            chosen[gateway_id] = worker
            left[worker] -= 1
    return chosen


def _rank(worker: UUID, gateway_id: int) -> bytes:
    return blake2b(worker.bytes + gateway_id.to_bytes(8, "big"), digest_size=8).digest()
