"""From a recording to affect attributes: decode, find the face, read it, keep only numbers."""
