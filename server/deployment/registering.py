"""Register a clinic: check that its answer fits its invitation, and keep its public keys."""

import datetime

from server.deployment.clinics import KnownClinic, find_clinic, known_clinics, write_clinic
from server.deployment.server_folder import ServerFolder
from shared.deployment.certificates import certificate_sha256
from shared.deployment.fingerprint import same_fingerprint
from shared.deployment.invitation import CLOCK_TOLERANCE
from shared.deployment.registration import Registration
from shared.errors import InputError, PrivacyError
from shared.privacy.masks import MaskKey

__all__ = ["check_registration", "register"]


def check_registration(
    folder: ServerFolder, registration: Registration, now: datetime.datetime
) -> KnownClinic:
    """Whether a registration answers an open invitation of this server.

    Parameters
    ----------
    folder : ServerFolder
    registration : Registration
    now : datetime
        With a time zone.

    Returns
    -------
    KnownClinic
        The clinic as it will be when registered; nothing is written.

    Raises
    ------
    InputError
        When the registration is for another server, of a clinic that was not invited or is
        registered already, answers an invitation that was replaced or has expired, was changed on
        its way, comes from a clock that is fast, or holds keys that cannot be used.
    """
    name = registration.clinic
    if registration.authority_sha256 != certificate_sha256(folder.authority()):
        raise InputError(
            f"the registration of {name!r} is for another server; register it there, or invite "
            "the clinic to this one"
        )
    clinics = known_clinics(folder)
    known = find_clinic(clinics, name)
    if known is None or known.name != name:
        raise InputError(
            f"clinic {name!r} was not invited by this server; `fedaffect-server invite` it first"
        )
    if known.state == "registered":
        if known.fingerprint == registration.fingerprint:
            which = "this very registration"
        else:
            which = (
                "another registration, so this one changes nothing. If the clinic did not send "
                "two, somebody else holds its invitation: compare the fingerprint by telephone"
            )
        raise InputError(
            f"clinic {name!r} is registered already, fingerprint {known.fingerprint}, by {which}"
        )
    if registration.invitation != known.invitation:
        raise InputError(
            f"the registration of {name!r} answers an invitation that is not its latest; the "
            "clinic joins again with the one it was sent last"
        )
    if known.secret is None or not registration.is_proved_by(known.secret):
        raise InputError(
            f"the registration of {name!r} was changed on its way, or was not made with its "
            "invitation; ask the clinic to send it again, and do not take it from anybody else"
        )
    _check_times(known, registration, now)
    for other in clinics:
        if registration.node_key == other.node_key or registration.mask_key == other.mask_key:
            raise InputError(
                f"clinics {name!r} and {other.name!r} show the same key; one site folder was "
                "copied from the other. Each clinic makes its own with `fedaffect-client init`"
            )
    try:
        MaskKey.generate().agree(registration.mask_key)
    except PrivacyError as error:
        raise InputError(f"the registration of {name!r}: {error}") from None
    return KnownClinic(
        name=name,
        state="registered",
        invitation=known.invitation,
        invited=known.invited,
        expires=known.expires,
        node_key=registration.node_key,
        mask_key=registration.mask_key,
        fingerprint=registration.fingerprint,
        software=registration.software,
        registered=now,
    )


def register(
    folder: ServerFolder, registration: Registration, heard: str, now: datetime.datetime
) -> KnownClinic:
    """Keep a clinic's keys, after its fingerprint was compared; its invitation is then used up.

    Parameters
    ----------
    folder : ServerFolder
    registration : Registration
    heard : str
        The fingerprint the clinic read out, typed in any case, with or without hyphens.
    now : datetime
        With a time zone.

    Raises
    ------
    InputError
        As :func:`check_registration`, or when the fingerprints differ.
    """
    with folder.locked():
        clinic = check_registration(folder, registration, now)
        if not same_fingerprint(heard, registration.fingerprint):
            raise InputError(
                f"clinic {clinic.name!r} reads {heard!r}, the file has {registration.fingerprint}; "
                "nothing was registered. Ask the clinic to read it again; if they really differ, "
                "the file is not the clinic's: invite it again (--again), by another way"
            )
        write_clinic(folder, clinic)
    return clinic


def _check_times(known: KnownClinic, registration: Registration, now: datetime.datetime) -> None:
    here = now.astimezone(datetime.UTC)
    if here >= known.expires:
        raise InputError(
            f"the invitation of {known.name!r} expired on {known.expires:%Y-%m-%d %H:%M} UTC; "
            "invite the clinic again (--again)"
        )
    if registration.created > here + CLOCK_TOLERANCE:
        raise InputError(
            f"the registration of {known.name!r} was made at {registration.created:%Y-%m-%d %H:%M} "
            f"UTC by the clinic's clock, and here it is {here:%Y-%m-%d %H:%M}; one clock is wrong. "
            "Set both: Flower refuses nodes whose clock is more than 5 s fast. Then the clinic "
            "joins again"
        )
