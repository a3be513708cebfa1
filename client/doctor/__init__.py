"""Is this computer ready: the checks of ``fedaffect-client doctor``."""
