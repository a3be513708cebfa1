"""``fedaffect-client ledger ...`` and ``withdraw``: the privacy ledger on the clinic's terminal.

Here, and nowhere else, participants are named: the terminal belongs to the clinic.
"""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.console import output

if TYPE_CHECKING:
    from client.ledger import Book, Ledger, LedgerFiles, Limit, WithdrawalOutcome

__all__ = ["ledger_app", "withdraw_command"]

ledger_app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The privacy ledger: what was released about each child, and what is left.",
)

_Site = Annotated[Path, typer.Option("--site", help="The clinic's site folder.")]
_SITE = Path("site")
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]

_LARGEST_SHOWN_MU = 60.0


@ledger_app.command("status")
def status_command(site: _Site = _SITE, as_json: _Json = False) -> None:
    """Show the studies, and what each child has spent and has left.

    A study that is still open counts with its whole plan.

    Example: fedaffect-client ledger status --site ~/fedaffect-site

    Exit codes: 0 shown; 2 an option or site.toml is wrong; 3 the ledger cannot be used.
    """
    from client.policy import load_policy

    policy = load_policy(site)
    with _ledger(site).locked() as book:
        status = _status(book, policy.limit)
    if as_json:
        typer.echo(json.dumps(status, indent=1, ensure_ascii=False))
        return
    _print_status(status)


@ledger_app.command("verify")
def verify_command(site: _Site = _SITE, as_json: _Json = False) -> None:
    """Check every line of the ledger, and the ledger against this computer's counter.

    Example: fedaffect-client ledger verify --site ~/fedaffect-site

    Exit codes: 0 in order; 2 an option is wrong; 3 a fault, which is named with what to do.
    """
    with _ledger(site).locked() as book:
        events, head = len(book.entries), book.head
    if as_json:
        typer.echo(json.dumps({"events": events, "head": head}))
        return
    output.print(f"in order: {events} events, head {head}", markup=False)


@ledger_app.command("export")
def export_command(
    file: Annotated[Path, typer.Argument(help="File to write.", show_default=False)],
    site: _Site = _SITE,
) -> None:
    """Copy the verified ledger to a file, after every study, on another disk.

    The copy names children by their pseudonyms: keep it in the clinic.

    Example: fedaffect-client ledger export /media/usb/ledger-2027-03.jsonl --site ~/fedaffect-site

    Exit codes: 0 written; 2 an option is wrong or the file exists; 3 the ledger cannot be used.
    """
    from client.ledger import export_ledger

    head = export_ledger(_ledger(site), file)
    output.print(f"{file} holds the ledger up to head {head}", markup=False)


@ledger_app.command("repair")
def repair_command(site: _Site = _SITE) -> None:
    """Cut off a last line that was not finished when the computer stopped.

    Nothing was released on account of such a line. What is cut off is kept in a file.

    Example: fedaffect-client ledger repair --site ~/fedaffect-site

    Exit codes: 0 mended, or nothing to mend; 2 an option is wrong; 3 the fault is another one.
    """
    from client.ledger import repair_ledger

    done = repair_ledger(_files(site))
    if done is None:
        output.print("nothing to repair: every line is in order", markup=False)
        return
    output.print(f"repaired: {done.events} events, head {done.head}", markup=False)
    output.print(f"what was cut off is kept in {done.kept}", markup=False)
    _print_adoption(done.needs_adoption)


@ledger_app.command("restore")
def restore_command(
    file: Annotated[Path, typer.Argument(help="Export to restore.", show_default=False)],
    site: _Site = _SITE,
) -> None:
    """Replace a missing, damaged or rolled-back ledger by its newest export.

    Example: fedaffect-client ledger restore /media/usb/ledger-2027-03.jsonl --site ~/fedaffect-site

    Exit codes: 0 restored; 2 an option is wrong; 3 the export is too old, damaged or of another
    ledger, or the ledger in place is in order.
    """
    from client.ledger import restore_ledger

    done = restore_ledger(_files(site), file)
    output.print(f"restored: {done.events} events, head {done.head}", markup=False)
    if done.kept is not None:
        output.print(f"the ledger it replaces is kept in {done.kept}", markup=False)
    _print_adoption(done.needs_adoption)


@ledger_app.command("adopt")
def adopt_command(
    site: _Site = _SITE,
    head: Annotated[
        str | None,
        typer.Option(
            help="Last head the coordinator has of this clinic (16 digits or more), or none.",
            show_default="asked for",
        ),
    ] = None,
) -> None:
    """Use a ledger on a new computer, once the coordinator has confirmed its head.

    Call the coordinator, on a number you know, and let them read to you the last ledger head they
    received from your clinic. Do not read yours to them: they could only agree.

    Example: fedaffect-client ledger adopt --site ~/fedaffect-site

    Exit codes: 0 adopted; 2 an option is wrong or there is nothing to adopt; 3 refused, because
    the ledger is older than the coordinator remembers, or has a fault.
    """
    from client.ledger import adopt_ledger

    asked = head if head is not None else typer.prompt("Head the coordinator reads to you")
    adopted = adopt_ledger(_files(site), None if asked.strip().casefold() == "none" else asked)
    output.print(f"adopted on this computer, head {adopted}", markup=False)


def withdraw_command(
    participant: Annotated[str, typer.Argument(help="Pseudonym of the child.", show_default=False)],
    site: _Site = _SITE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    delete_files: Annotated[
        bool,
        typer.Option(
            "--delete-files",
            help="Also delete its attributes and pictures here; never the recording.",
        ),
    ] = False,
    as_json: _Json = False,
) -> None:
    """Withdraw a child: end the running studies with it, and let it enter no other.

    The stored contributions of every study with the child are deleted. What was released cannot be
    recalled: it stays in the ledger, and the models that include the child are listed. Files that
    were made from its recording are named, or deleted with --delete-files. Run it again if it was
    interrupted.

    Example: fedaffect-client withdraw P017 --site ~/fedaffect-site

    Exit codes: 0 withdrawn; 1 not confirmed; 2 an option is wrong; 3 the ledger cannot be used.
    """
    from client.ledger import destroy_contributions
    from client.site_folder import SiteFolder
    from client.site_traces import delete_traces, traces_of

    ledger = _ledger(site)
    if not yes:
        _ask(ledger, participant)
    with ledger.locked() as book:
        outcome = book.withdraw(participant)
        deleted = sum(destroy_contributions(site, entry.study) for entry in outcome.lineage)
    files = (delete_traces if delete_files else traces_of)(SiteFolder(site), participant)
    if as_json:
        content = _withdrawal(outcome, deleted)
        content["files_deleted" if delete_files else "files_kept"] = [str(file) for file in files]
        typer.echo(json.dumps(content, indent=1, ensure_ascii=False))
        return
    _print_withdrawal(outcome, deleted)
    for file in files:
        output.print(
            f"{'deleted' if delete_files else 'still here'}: {file}", markup=False, soft_wrap=True
        )
    if files and not delete_files:
        output.print("Delete these with --delete-files, unless your rules say to keep them")


def _files(site: Path) -> "LedgerFiles":
    from client.ledger import LedgerFiles

    return LedgerFiles(site)


def _ledger(site: Path) -> "Ledger":
    from client.ledger import open_ledger

    return open_ledger(site)


def _status(book: "Book", limit: "Limit") -> dict[str, Any]:
    children = {
        name: {
            "withdrawn": book.is_withdrawn(name),
            "spent": _promise(book.spent(name), limit.delta),
            "remaining": _promise(book.remaining(name, limit), limit.delta),
        }
        for name in book.participants
    }
    largest = max((book.spent(name) for name in book.participants), default=0.0)
    return {
        "clinic": book.created.clinic,
        "ledger": book.created.ledger,
        "unit": book.created.unit,
        "adjacency": book.created.adjacency,
        "events": len(book.entries),
        "head": book.head,
        "limit": {"mu": limit.mu, "epsilon": limit.epsilon, "delta": limit.delta},
        "largest_spent": _promise(largest, limit.delta),
        "studies": [
            {
                "study": digest,
                "title": record.opening.title,
                "closed": record.closed,
                "rounds_created": len(record.releases),
                "rounds_planned": len(record.opening.releases),
                "participants": len(record.opening.participants),
                "models": record.models,
            }
            for digest, record in book.studies.items()
        ],
        "participants": children,
    }


def _promise(mu_squared: float, delta: float) -> dict[str, float | None]:
    from shared.privacy.accountant import epsilon_of

    mu = math.sqrt(mu_squared)
    return {"mu": mu, "epsilon": epsilon_of(mu, delta) if mu <= _LARGEST_SHOWN_MU else None}


def _print_status(status: dict[str, Any]) -> None:
    limit = status["limit"]
    output.print(
        f"clinic {status['clinic']}: {status['events']} events, head {status['head']}", markup=False
    )
    output.print(
        f"limit for each child over all studies: epsilon {limit['epsilon']:g}, delta "
        f"{limit['delta']:g} (mu {limit['mu']:.3f}); most spent: {_shown(status['largest_spent'])}",
        markup=False,
    )
    for study in status["studies"]:
        output.print(
            f"study {study['title']} ({study['study'][:12]}...): "
            f"{'closed' if study['closed'] else 'open'}, {study['rounds_created']} of "
            f"{study['rounds_planned']} rounds created, {study['participants']} participants, "
            f"{len(study['models'])} models",
            markup=False,
        )
    for name, child in status["participants"].items():
        gone = " (withdrawn)" if child["withdrawn"] else ""
        output.print(
            f"{name}{gone}: spent {_shown(child['spent'])}, left {_shown(child['remaining'])}",
            markup=False,
        )


def _shown(promise: dict[str, float | None]) -> str:
    epsilon = promise["epsilon"]
    return f"mu {promise['mu']:.3f}, epsilon " + (
        "beyond any use" if epsilon is None else f"{epsilon:.2f}"
    )


def _print_adoption(needed: bool) -> None:
    if needed:
        output.print(
            "This computer has no counter for this ledger, so it cannot be used yet. Call the "
            "coordinator, then run: fedaffect-client ledger adopt",
            markup=False,
        )


def _ask(ledger: "Ledger", participant: str) -> None:
    with ledger.locked() as book:
        lineage = book.lineage(participant)
    still_open = [repr(entry.title) for entry in lineage if not entry.closed]
    if not lineage:
        output.print(f"{participant} is in no study of this ledger.", markup=False)
    if still_open:
        output.print(
            f"{participant} is in {', '.join(still_open)}, which this clinic leaves for good; the "
            "other clinics cannot complete it either.",
            markup=False,
        )
    typer.confirm(f"Withdraw {participant} for good?", abort=True)


def _withdrawal(outcome: "WithdrawalOutcome", deleted: int) -> dict[str, Any]:
    return {
        "participant": outcome.participant,
        "recorded_now": outcome.recorded_now,
        "studies_closed": list(outcome.studies_closed),
        "contributions_deleted": deleted,
        "lineage": [
            {
                "study": entry.study,
                "title": entry.title,
                "rounds_created": entry.rounds_created,
                "models": list(entry.models),
            }
            for entry in outcome.lineage
        ],
    }


def _print_withdrawal(outcome: "WithdrawalOutcome", deleted: int) -> None:
    known = "withdrawn" if outcome.recorded_now else "had withdrawn before"
    output.print(f"{outcome.participant} {known}", markup=False)
    if not outcome.lineage:
        output.print("in no study of this ledger; it can enter none from now on", markup=False)
        return
    output.print(
        f"{len(outcome.studies_closed)} running studies ended, {deleted} stored contributions "
        "deleted",
        markup=False,
    )
    for entry in outcome.lineage:
        used = f"study {entry.title}: {entry.rounds_created} rounds were released"
        if not entry.rounds_created:
            output.print(f"study {entry.title}: nothing was released", markup=False)
        elif entry.models:
            output.print(f"{used}; models that include the child:", markup=False)
            for model in entry.models:
                output.print(f"  {model}", markup=False)
        else:
            output.print(f"{used}; no model is recorded here, ask the coordinator", markup=False)
