"""Commands around the program's bundle: reviewers' keys, building, signing, offering."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shared.signing.bundle import Bundle
    from shared.signing.offer import CodeOffer

__all__ = ["bundle_app", "reviewer_app"]

reviewer_app = typer.Typer(
    no_args_is_help=True, help="A reviewer's key. Run on the reviewer's own computer."
)
bundle_app = typer.Typer(
    no_args_is_help=True, help="The program's bundle: build, sign, publish to the nodes."
)

_Bundle = Annotated[Path, typer.Argument(help="Bundle (.fab).", show_default=False)]
_Server = Annotated[Path, typer.Option("--server", help="The server's folder.")]


@reviewer_app.command("new")
def reviewer_new_command(
    out: Annotated[Path, typer.Option(help="New folder for the key.")],
    name: Annotated[str, typer.Option(help="Your name, as clinics will see it.")],
    passphrase: Annotated[
        bool,
        typer.Option(help="Ask for a passphrase that encrypts the key; nothing typed means none."),
    ] = True,
) -> None:
    """Make a reviewer's key pair: reviewer.key stays secret, reviewer.yaml goes to the clinics.

    Run it on the reviewer's own computer. Whoever holds the key and the passphrase can make
    clinics run code, so the key never belongs on the server.

    Example: fedaffect-server reviewer new --out review --name "Dr A. Lind"
    """
    from shared.console import output
    from shared.signing.reviewer_key import ENTITY_FILE, KEY_FILE, ReviewerKey

    key = ReviewerKey.generate(name)
    secret = ""
    if passphrase:
        secret = typer.prompt(
            "Passphrase (empty: none)",
            default="",
            show_default=False,
            hide_input=True,
            confirmation_prompt=True,
        )
    key.write(out, secret or None)
    output.print(
        f"Key          {out / KEY_FILE} (secret{'' if secret else ', without a passphrase'})\n"
        f"For clinics  {out / ENTITY_FILE}\n"
        f"Fingerprint  {key.reviewer.fingerprint} (to read to the clinics by telephone)",
        markup=False,
        soft_wrap=True,
    )


@bundle_app.command("build")
def build_command(
    source: Annotated[
        Path | None, typer.Option(help="Folder of the program's source; by default this program's.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write the bundle into.")] = Path(),
) -> None:
    """Pack the program into one file; the same source gives the same bytes on every computer.

    Example: fedaffect-server bundle build --out release
    """
    from server.signing.build import build_bundle, program_source
    from shared.console import output
    from shared.files import write_atomic

    bundle = build_bundle(source or program_source())
    path = out / bundle.facts.file_name
    write_atomic(path, bundle.content)
    output.print(_described(bundle, path), markup=False, soft_wrap=True)


@bundle_app.command("sign")
def sign_command(
    bundle: _Bundle,
    key: Annotated[Path, typer.Option(help="Your reviewer.key; reviewer.yaml lies beside it.")],
    source: Annotated[
        Path | None,
        typer.Option(help="Folder of the source you read: refused unless it gives this bundle."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
) -> None:
    """Sign a bundle whose source you have read; the signature file is written beside it.

    With --source the bundle is built again from what you read, and must be the same byte for byte.

    Example: fedaffect-server bundle sign fedaffect.fab --key review/reviewer.key --source fedaffect
    """
    import time

    from server.signing.build import build_bundle
    from shared.console import output
    from shared.errors import InputError
    from shared.signing.bundle import read_bundle
    from shared.signing.offer import signature_path
    from shared.signing.record import sign_bundle
    from shared.signing.reviewer_key import ReviewerKey

    found = read_bundle(bundle)
    if source is not None:
        own = build_bundle(source)
        if own.content != found.content:
            raise InputError(
                f"{bundle} is not what {source} gives: {_difference(own, found)}. Do not sign it; "
                "ask where the bundle comes from"
            )
    opened = ReviewerKey.read(key, lambda: str(typer.prompt("Passphrase", hide_input=True)))
    output.print(_described(found, bundle), markup=False, soft_wrap=True)
    if not yes:
        typer.confirm(f"Sign it as {opened.reviewer.name}?", abort=True)
    record = sign_bundle(found.facts, opened, signed_at=int(time.time()))
    path = signature_path(bundle, opened.reviewer)
    record.write(path)
    output.print(f"Signature  {path}", markup=False, soft_wrap=True)


@bundle_app.command("show")
def show_command(
    bundle: Annotated[
        Path, typer.Argument(help="Bundle (.fab) or code registration.", show_default=False)
    ],
) -> None:
    """Check a bundle and the signatures beside it, and show who signed.

    Example: fedaffect-server bundle show release/fedaffect.fab
    """
    from shared.console import output
    from shared.signing.offer import read_offer

    output.print(_signatures(read_offer(bundle)), markup=False, soft_wrap=True)


@bundle_app.command("publish")
def publish_command(bundle: _Bundle, server: _Server = Path()) -> None:
    """Offer a signed bundle to the nodes, and write the registration to send to the clinics.

    Example: fedaffect-server bundle publish release/fedaffect.fab --server federation
    """
    from server.signing.shelf import Shelf
    from shared.console import output
    from shared.errors import InputError
    from shared.signing.offer import read_offer

    if not server.is_dir():
        raise InputError(f"{server} is no server's folder; give it with --server")
    offer = read_offer(bundle)
    registration = Shelf(server).add(offer)
    output.print(
        f"{_signatures(offer)}\nSend to the clinics: {registration}", markup=False, soft_wrap=True
    )


@bundle_app.command("serve")
def serve_command(
    server: _Server = Path(),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")
    ] = 0,
) -> None:
    """Run the hub by itself, for a SuperLink that is started by hand; Ctrl-C ends it.

    It answers on this computer's loopback only. Start the SuperLink with the variable that is
    printed, and the run with the version: flwr run @fedaffect/fedaffect==0.1.0

    Example: fedaffect-server bundle serve --server server --port 18010
    """
    import threading

    from server.signing.hub import running_hub
    from server.signing.shelf import Shelf
    from shared.console import output

    shelf = Shelf(server)
    with running_hub(shelf, port) as hub:
        output.print(f"Offered: {', '.join(shelf.versions()) or 'nothing yet'}", markup=False)
        for name, value in hub.environment.items():
            output.print(f"export {name}={value}", markup=False, soft_wrap=True)
        threading.Event().wait()


def _described(bundle: "Bundle", path: Path) -> str:
    facts = bundle.facts
    return (
        f"Bundle     {path}\n"
        f"Program    {facts.app} {facts.version}, {len(bundle.files)} files, "
        f"{len(bundle.content)} bytes\n"
        f"SHA-256    {facts.sha256}"
    )


def _signatures(offer: "CodeOffer") -> str:
    facts = offer.facts
    lines = [f"Program    {facts.app} {facts.version}", f"SHA-256    {facts.sha256}"]
    lines += [
        f"Signed by  {record.signer.fingerprint}  {record.signed_on}  {record.signer.name}"
        for record in offer.records
    ]
    return "\n".join(lines if offer.records else [*lines, "Signed by  nobody"])


def _difference(own: "Bundle", other: "Bundle") -> str:
    names = sorted(
        name
        for name in own.files.keys() | other.files.keys()
        if own.files.get(name) != other.files.get(name)
    )
    if not names:
        return "the same files, packed in another way"
    more = ", ..." if len(names) > 5 else ""
    return f"{len(names)} files differ ({', '.join(names[:5])}{more})"
