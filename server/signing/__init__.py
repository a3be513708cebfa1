"""The program's bundle on its way to the clinics: built, signed by reviewers, served by a hub."""

from server.signing.build import build_bundle, program_source
from server.signing.hub import Hub, running_hub
from server.signing.shelf import Shelf

__all__ = ["Hub", "Shelf", "build_bundle", "program_source", "running_hub"]
