"""The sub-commands of ``fedaffect-sim``, one file each."""
