import pytest
from hypothesis import given
from hypothesis import strategies as st

import npms_shared.messaging.topology as topology
from npms_shared.contracts import catalogue
from npms_shared.messaging import trace
from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.subscriptions import EventSubscription


@given(st.integers(1, 2**63 - 1))
def test_a_partition_is_in_range_and_stable(account_id: int) -> None:
    assert 0 <= partition_of(account_id, 16) < 16
    assert partition_of(account_id, 16) == partition_of(account_id, 16)


def test_partitions_of_known_accounts_never_change() -> None:
    """Changing the hash on a running system would break the order of an account's readings."""
    assert [partition_of(n, 16) for n in (1, 2, 3, 1000, 123456789)] == [7, 13, 11, 7, 6]


def test_accounts_spread_evenly() -> None:
    counts = [0] * 16
    for account_id in range(1, 16_001):
        counts[partition_of(account_id, 16)] += 1
    assert max(counts) < 1.2 * 1000
    assert min(counts) > 0.8 * 1000


def test_every_queue_hears_only_what_somebody_says() -> None:
    said = set(catalogue.EVENTS)
    for queue, contracts in topology.QUEUES.items():
        assert set(contracts) <= said, queue
        assert queue.split(".")[0] in topology.PUBLISHERS


def test_event_types_are_unique() -> None:
    assert len(topology.CONTRACT_OF) == len(catalogue.EVENTS) + len(catalogue.BATCHES)


def test_a_subscription_that_differs_from_the_topology_is_refused() -> None:
    async def handle(*_: object) -> None: ...

    with pytest.raises(ValueError, match=r"ledger\.supply hears"):
        EventSubscription("ledger.supply", topology.QUEUES["ledger.payments"], handle)


def test_a_trace_is_continued_or_begun() -> None:
    given_trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    assert trace.begin(given_trace) == given_trace
    assert trace.trace_id() == "a" * 32
    assert trace.begin("nonsense") != "nonsense"
    assert len(trace.trace_id()) == 32
