"""cr.fft against NumPy: values, norms, lengths, several axes; gradients; compiled for lengths of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigurationError, ShapeError

RANDOM = np.random.default_rng(2)
X = RANDOM.normal(size=(3, 4, 5))
Z = X + 1j * RANDOM.normal(size=X.shape)

ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
MANY = ("fftn", "ifftn", "rfftn", "irfftn")


def taken(name: str) -> Any:
    return X if name in ("rfft", "ihfft", "rfftn") else Z


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_one_axis(name: str, norm: str) -> None:
    x = taken(name)
    for n in (None, 1, 3, 4, 9):
        for axis in (-1, 0):
            expected = getattr(np.fft, name)(x, n, axis, norm)
            found = getattr(cr.fft, name)(x, n=n, axis=axis, norm=norm)
            np.testing.assert_allclose(found.numpy(), expected, atol=1e-14)
            assert found.dtype == expected.dtype


@pytest.mark.parametrize("name", MANY)
def test_several_axes(name: str) -> None:
    x = taken(name)
    for s, axes in ((None, None), ((2, 6), (0, 2)), (None, (1,)), ((3, 5), (-1, -2))):
        expected = getattr(np.fft, name)(x, s, axes)
        np.testing.assert_allclose(getattr(cr.fft, name)(x, s=s, axes=axes).numpy(), expected, atol=1e-14)


def test_frequencies_and_shifts() -> None:
    for n in (4, 5):
        np.testing.assert_array_equal(cr.fft.fftfreq(n, d=0.1, dtype=cr.float64).numpy(), np.fft.fftfreq(n, 0.1))
        np.testing.assert_array_equal(cr.fft.rfftfreq(n, dtype=cr.float64).numpy(), np.fft.rfftfreq(n))
    assert cr.fft.fftfreq(3).dtype == cr.float32
    for axes in (None, 1, (0, 2)):
        np.testing.assert_array_equal(cr.fft.fftshift(X, axes=axes).numpy(), np.fft.fftshift(X, axes))
        np.testing.assert_array_equal(cr.fft.ifftshift(X, axes=axes).numpy(), np.fft.ifftshift(X, axes))
    for whole in (np.arange(5), cr.arange(5)):
        found = cr.fft.fftshift(whole)
        assert found.tolist() == [3, 4, 0, 1, 2] and found.dtype == np.int64
    for frequencies in (cr.fft.fftfreq, cr.fft.rfftfreq):
        with pytest.raises(ConfigurationError):
            frequencies(4, device="cuda")


LENGTHS = (1, 2, 6, 31, 33, 37, 64, 210, 257, 512, 1009)


@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
def test_compiled_transforms_of_every_kind_of_length(dtype: str) -> None:
    """Small ones, products of factors, primes with a matrix of their own, and primes by Bluestein's way."""
    inputs = [(RANDOM.normal(size=(2, n)) + 1j * RANDOM.normal(size=(2, n))).astype(dtype) for n in LENGTHS]
    lengths = LENGTHS if dtype == "complex128" else (6, 37, 64, 257)
    inputs = [each for each in inputs if each.shape[1] in lengths]
    compiled = cr.compile(lambda *z: [cr.fft.fft(each) for each in z] + [cr.fft.ifft(each) for each in z])
    found = [each.numpy() for each in compiled(*inputs)]
    expected = [np.fft.fft(each.astype(complex)) for each in inputs] + [
        np.fft.ifft(each.astype(complex)) for each in inputs
    ]
    unit = float(np.finfo(dtype).eps)
    for given, wanted in zip(found, expected, strict=True):
        n = wanted.shape[1]
        allowed = 4 * unit * max(1.0, np.log2(n)) * (2 if n > 256 and n % 2 else 1)
        assert given.dtype == dtype and np.abs(given - wanted).max() <= allowed * np.abs(wanted).max()


GRADIENTS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "fft": (lambda z: cr.fft.fft(z, n=6, norm="ortho"), Z[0]),
    "irfft": (lambda z: cr.fft.irfft(z, n=7), Z[0]),
    "rfftn": (lambda x: cr.fft.rfftn(x), X[0]),
    "hfft": (lambda z: cr.fft.hfft(z), Z[0]),
    "filter": (lambda x: cr.fft.irfft(cr.fft.rfft(x) * cr.exp(-cr.fft.rfftfreq(5))), X[0]),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str) -> None:
    """They are linear: along any direction the change is that of the direction alone."""
    f, x = GRADIENTS[name]
    along = RANDOM.normal(size=x.shape) + (1j * RANDOM.normal(size=x.shape) if np.iscomplexobj(x) else 0)
    y = f(cr.tensor(x)).numpy()
    weights = RANDOM.normal(size=y.shape) + (1j * RANDOM.normal(size=y.shape) if np.iscomplexobj(y) else 0)

    def loss(x: Any) -> Any:
        return cr.sum(cr.real(f(x) * weights))

    given = np.sum(cr.grad(loss)(x).numpy().conj() * along).real
    np.testing.assert_allclose(given, loss(cr.tensor(along)).item(), rtol=1e-12)


def test_what_is_refused() -> None:
    for wrong in (lambda: cr.fft.rfft(Z), lambda: cr.fft.fft(Z, norm="none"), lambda: cr.fft.hfft(Z, norm="none")):
        with pytest.raises(ConfigurationError):
            wrong()
    for wrong in (
        lambda: cr.fft.fft(np.zeros((2, 0))),
        lambda: cr.fft.fft(Z, n=0),
        lambda: cr.fft.fftn(Z, s=(1,), axes=()),
    ):
        with pytest.raises(ShapeError):
            wrong()
