"""Explanations as text: what the services said, in lines that a person reads from top to bottom."""

from collections.abc import Iterable, Iterator
from typing import Any

Answer = dict[str, Any]
WIDTH = 46


def of_charge(answer: Answer) -> Iterator[str]:
    """A posting; of a charge with readings, plan, lines and rounding."""
    yield f"Account {answer['account_id']}, posting {answer['seq']} of {answer['posted_at']}"
    yield f"{answer['kind'].replace('_', ' ')}: {answer['because']}"
    yield _row(f"{answer['bucket']} before", answer["before"])
    yield _row("amount", answer["amount"])
    yield _row(f"{answer['bucket']} after", answer["after"])
    if answer["charge"] is not None:
        yield from _charge(answer["charge"])
    elif answer["adjustment"] is not None:
        yield from _adjustment(answer["adjustment"])
    if answer["see"]:
        yield f"more: npms why top-up {answer['payment']['payment_id']}"


def _charge(charge: Answer) -> Iterator[str]:
    yield ""
    for name in ("reading_from", "reading_to"):
        yield _reading(name.replace("_", " "), charge[name])
    plan = charge["plan"]
    name = plan["plan_code"] or f"version {plan['plan_version_id']}"
    yield f"plan {name} v{plan['plan_version'] or '?'}, {_energy(charge['energy'])}"
    yield ""
    for line in charge["lines"]:
        price = f" at {line['price']['amount']} a unit" if line["price"] else ""
        yield _row(f"{_line(line)}{price}", line["amount"])
        after, before = line["after"]["amount"]["amount"], line["before"]["amount"]["amount"]
        yield f"    = {after} - {before}"
    yield _row("of it tax", charge["tax"])
    yield ""
    yield _reading("counted from", charge["counted_from"])
    yield _row("cost after", charge["cost_after"])
    yield _row("cost before", charge["cost_before"])
    yield _row("charge", charge["amount"])
    yield charge["rounding"]


def of_rating(answer: Answer) -> Iterator[str]:
    """The tariff service's part: what each block counts, at which price."""
    for scope in answer["scopes"]:
        yield ""
        yield f"Counted in {scope['month']} until {answer['rated_until']}:"
        for slot in scope["slots"]:
            upto = f" up to {_energy(slot['upto'])}" if slot["upto"] else ""
            name = f"{slot['period']}, block {slot['block']}{upto}" if slot["block"] else "free"
            yield _row(f"{name}: {_energy(slot['energy'])} at", slot["price"])


def _adjustment(adjustment: Answer) -> Iterator[str]:
    yield ""
    yield f"for {adjustment['begins']} to {adjustment['ends']}, {_energy(adjustment['energy'])}"
    for line in adjustment["lines"]:
        yield _row(_line(line), line["amount"])
    yield _row("of it tax", adjustment["tax"])


def of_balance(answer: Answer) -> Iterator[str]:
    """Bucket by bucket: opening, sums by kind, closing; then what was charged."""
    if answer["last_seq"] < answer["first_seq"]:
        yield "Nothing was posted."
    else:
        yield f"Postings {answer['first_seq']} to {answer['last_seq']}"
    for bucket in answer["buckets"]:
        yield ""
        yield _row(f"{bucket['bucket']}, opening", bucket["opening"])
        for kind in bucket["kinds"]:
            yield _row(f"  {kind['kind'].replace('_', ' ')} ({kind['entries']})", kind["amount"])
        yield _row(f"{bucket['bucket']}, closing", bucket["closing"])
    if answer["charged"]:
        yield ""
        yield "Charged for:"
        for line in answer["charged"]:
            yield _row(_line(line), line["amount"])


def of_cut(answer: Answer) -> Iterator[str]:
    """The last cut, what would have avoided it, and where the money went."""
    decision, policy = answer["decision"], answer["policy"]
    yield answer["because"]
    yield f"Decided at {decision['decided_at']} by {_decider(decision)}"
    yield f"under credit policy {policy['code']} v{policy['version']} of {policy['written_by']}"
    yield _row("balance", decision["balance"])
    yield _row("floor", decision["floor"])
    if answer["would_have_avoided_it"]:
        yield _row("a top-up of this had avoided it", answer["would_have_avoided_it"])
    if answer["last_in_credit"]:
        last = answer["last_in_credit"]
        yield _row(f"last in credit at {last['at']}", last["balance"])
    for supply in answer["now"]:
        yield (
            f"Now installation {supply['installation_id']} is {supply['state']} since "
            f"{supply['decided_at']}: {supply['reason'].replace('_', ' ')}"
        )
    yield ""
    yield "Since the last top-up:"
    yield from of_balance(answer["since_last_top_up"])


def _decider(decision: Answer) -> str:
    by = decision["subject"]
    return f"{decision['decided_by']} {by}" if by else str(decision["decided_by"])


def of_top_up(answer: Answer) -> Iterator[str]:
    """The waterfall part by part, and the buckets before and after."""
    yield f"Payment {answer['payment_id']} to account {answer['account_id']}"
    yield f"{answer['source']} {answer['reference']}, settled {answer['settled_at']}"
    yield _row("paid", answer["amount"])
    for part in answer["parts"]:
        label = f" {part['label']}" if part["label"] else ""
        tax = f" (of it tax {part['tax']['amount']})" if part["tax"] else ""
        yield _row(f"  {part['what'].replace('_', ' ')}{label}{tax}", part["amount"])
    for bucket in answer["buckets"]:
        before, after = bucket["before"]["amount"], bucket["after"]["amount"]
        yield f"{bucket['bucket']}: {before} -> {after}"
    if answer["credited_at"] is None:
        yield "It was never credited."
    if answer["reversed_at"]:
        yield f"Taken back at {answer['reversed_at']}: {answer['reversal_reason']}"
        yield from _entries(answer["taken_back"])


def _entries(entries: Iterable[Answer]) -> Iterator[str]:
    for entry in entries:
        yield _row(f"  {entry['bucket']}", entry["amount"])


def _reading(name: str, reading: Answer) -> str:
    key = f"installation {reading['installation_id']} at {reading['taken_at']}"
    return f"{name}: {key}, register {_energy(reading['register_value'])}"


def _line(line: Answer) -> str:
    name = str(line["component"]).replace(":", " ").replace("_", " ")
    name += f" {line['period']}" if line["period"] else ""
    name += f" block {line['block']}" if line["block"] else ""
    has_energy = float(line["energy"]["value"]) != 0
    return f"{name}, {_energy(line['energy'])}" if has_energy else name


def _energy(energy: Answer) -> str:
    return f"{energy['value']} {energy['unit']}"


def _row(name: str, money: Answer) -> str:
    return f"{name:<{WIDTH}} {money['amount']:>18} {money['currency']}"
