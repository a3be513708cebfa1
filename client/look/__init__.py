"""Look inside a recording: a contact sheet or a short clip with what was read drawn into it."""
