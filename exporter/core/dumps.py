"""One SLO's whole state, and what says whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.core.account import Account
from exporter.core.apart import one_line
from exporter.core.memory import Op
from exporter.core.slo import SLO


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """What became of the SLOs: names that are new, whose SLI changed, that are no more; `dumps`:
    whole states of the last two, as they were."""

    added: list[str]
    restarted: list[str]
    removed: list[str]
    dumps: Mapping[str, Mapping[str, Any]]


def identity(slo: SLO) -> str:
    """What makes a ledger: another source, SLI or grouping counts other events."""
    return repr((slo.source, slo.sli, slo.group_by))


def dump(account: Account) -> dict[str, Any]:
    """Everything that must survive."""
    return {"identity": identity(account.slo), "state": account.memory.dump()}


def load(
    slo: SLO, dumped: Mapping[str, Any], logs: Iterable[Sequence[Op]], *, alerts: bool
) -> Account | str:
    """The account of a dump and of what was logged after it, or the reason in one line why it
    cannot be used. `alerts`: False for a ledger that was put away, whose alerts ended then."""
    if dumped.get("identity") != identity(slo):
        return "its SLI was changed"
    account = Account(slo)
    try:
        account.memory.load(dumped["state"])
        for log in logs:
            account.memory.replay(log)
    except Exception as error:  # noqa: BLE001 - a state nobody foresaw costs its SLO alone
        return one_line(error)
    if not alerts:
        account.memory.drop_alerts()
    return account
