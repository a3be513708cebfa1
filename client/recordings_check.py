"""Do attributes still belong to the recording that the table names for a child?

A table can be corrected after an extraction, and a recording exchanged. Features of the old one
would then stand under the child's name and diagnosis.
"""

from client.site_folder import SiteFolder
from client.site_participants import SiteParticipants
from shared.attributes import read_attributes
from shared.errors import InputError
from shared.files import sha256_of

__all__ = ["of_another_recording"]


def of_another_recording(folder: SiteFolder, people: SiteParticipants) -> dict[str, str]:
    """Usable children whose attributes are not those of their recording, and why.

    Reads every recording once, for its SHA-256.

    Parameters
    ----------
    folder : SiteFolder
    people : SiteParticipants

    Returns
    -------
    dict of str to str
        Only children who have attributes; of a damaged attribute file nothing is said here.
    """
    found = {}
    for item in people.to_read():
        path = folder.attributes / f"{item.participant}.parquet"
        if not path.is_file():
            continue
        try:
            extracted_from = read_attributes(path).provenance.get("video_sha256")
        except InputError:
            continue
        if extracted_from is None:
            continue  # a simulated child has no recording
        if item.file is None:
            found[item.participant] = f"its recording cannot be compared: {item.fault}"
        elif sha256_of(item.file) != extracted_from:
            found[item.participant] = (
                "its attributes were read from another recording than the table names now; run "
                "`fedaffect-client extract` again"
            )
    return found
