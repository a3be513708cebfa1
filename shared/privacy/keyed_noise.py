"""Noise that a clinic can draw again, and that nobody else can predict.

An answer that is made a second time, say after a crash or a restored backup, must not carry other
noise under the same mask: whoever holds both messages would subtract the masks away. So the noise
is a function of a secret, drawn once from the operating system, and of everything the answer
depends on. To anyone without the secret the integers are discrete Gaussian, drawn exactly (see
:mod:`shared.privacy.discrete_gaussian`) from a ChaCha20 stream in place of fresh random bits.
"""

import hashlib
import os
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import PrivacyError
from shared.privacy.discrete_gaussian import UniformBits, sample_discrete_gaussian
from shared.privacy.key_stream import KeyStream

__all__ = ["KeyedNoise", "new_noise_secret"]

_SECRET_BYTES: Final = 32


def new_noise_secret() -> bytes:
    """Draw a clinic's noise secret, 32 bytes, from the operating system; done once."""
    return os.urandom(_SECRET_BYTES)


class KeyedNoise:
    """Exact discrete Gaussian noise that follows from a secret and from the sum it is added to.

    Parameters
    ----------
    secret : bytes
        The clinic's 32 bytes from :func:`new_noise_secret`. Whoever knows them can take this
        clinic's noise off; ``repr`` does not show them.

    Raises
    ------
    PrivacyError
        When the secret has another length.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != _SECRET_BYTES:
            raise PrivacyError(
                f"a noise secret has {_SECRET_BYTES} bytes, {len(secret)} are here; restore the "
                "secret from its backup"
            )
        self._secret = bytes(secret)

    def __repr__(self) -> str:
        return "KeyedNoise(secret not shown)"

    def integers(self, variance: int, total: NDArray[np.int64], release: str) -> NDArray[np.int64]:
        """Draw one integer for each coordinate of ``total``.

        The same arguments give the same integers; any difference gives independent ones.

        Parameters
        ----------
        variance : int
            In squared grid units, >= 1.
        total : ndarray of int64, shape (k,)
            The exact sum the noise will hide.
        release : str
            Names the study, the round and its input.

        Returns
        -------
        ndarray of int64, shape (k,)

        Raises
        ------
        PrivacyError
            When ``total`` is not a vector of int64, or the variance is below 1.
        """
        if total.dtype != np.int64 or total.ndim != 1:
            raise PrivacyError(
                f"noise was asked for a total of type {total.dtype} and shape {total.shape}; only "
                "a vector of int64 is exact. This is a fault of the program: report it"
            )
        exact = hashlib.sha256(total.astype("<i8").tobytes()).digest()
        parts = (release.encode(), str(variance).encode(), exact)
        below = UniformBits(KeyStream(self._secret, b"noise", parts).read).below
        draws = [sample_discrete_gaussian(variance, below) for _ in range(len(total))]
        return np.array(draws, dtype=np.int64)
