"""What fitted models can do: encode and save; decode, reconstruct and score.

A fitted model is a `Network` (``network_``) whose first ``n_code_layers_`` layers encode, and the scaling of its input.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from os import PathLike
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .. import anomalies
from ..checks import check_range, check_width
from ..data import Rows, as_rows, summarize
from ..data.shapes import shaped
from ..errors import DataError
from ..files import Baseline
from ..inputs import rows_for
from ..kernels.cpu import thread_limit
from ..network import Network
from ..scaling import AS_IS, IMAGES, InputScaling
from ..settings import thread_count
from ..targets import Target, goal_for
from ..training.loop import Record
from . import feature_maps

FAR = 10.0  # from 0, of values for a model that was trained on [0, 1]: these are in other units


class Model(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of all estimators.

    X is an array (n_samples, n_features) or whatever `rows_for` takes, a frame or `open_data`'s rows of a table with text and gaps
    among them. Such a table is encoded by a recipe, the fitted attribute ``table_`` (else None), and found again by the names of
    its columns; n_features and ``n_features_in_`` then count the encoded columns. Samples keep their shape: images are an array
    (n_samples, height, width[, channels]), sequences (n_samples, steps, numbers), NaN after the end of shorter ones, or a list of
    arrays (steps, numbers); n_features is the product.
    """

    kind: str  # in the model file
    takes_sequences: bool = False  # samples (T, D) are sequences, which may end early, in steps of NaN
    n_threads: int | None
    verbose: int
    precision: str
    visible_activation: str  # of the outputs, or visible units, that model the data
    network_: Network
    scaling_: InputScaling
    n_code_layers_: int
    seed_: int
    history_: list[Record]
    n_features_in_: int  # columns of the encoded table, where there is a recipe
    table_: (
        dict[str, Any] | None
    )  # how the columns of a table, or the steps in its rows, become numbers: `stacked.data.recipe`
    baseline_: Baseline | None = None
    target_: Target | None = None  # what it should answer with, where that is not its input alone

    def transform(self, X: Any) -> np.ndarray:
        """Codes (n_samples, n_code) of X (n_samples, n_features)."""
        rows, scaled = self._fitted_rows(X)
        with self._threads():
            return self._network.apply(rows, *scaled, 0, self.n_code_layers_)

    def feature_maps(self, X: Any, layer: int = -1) -> np.ndarray:
        """Outputs (n_samples, height, width, channels) of a layer of the encoder, counted from 0 or, below it, from its end.

        SettingError for a layer that does not answer with maps.
        """
        check_is_fitted(self, "network_")
        chosen, shape = feature_maps.place_of(self, layer)
        rows, scaled = self._fitted_rows(X)
        with self._threads():
            return self._network.apply(rows, *scaled, 0, chosen + 1).reshape(rows.n_rows, *shape)

    def filters(self, layer: int = 0) -> np.ndarray:
        """Weights (filters, rows, columns, channels) of a convolution of the encoder, as pictures; layers as in `feature_maps`."""
        check_is_fitted(self, "network_")
        return feature_maps.filters_of(self, layer)

    def score_samples(self, X: Any) -> np.ndarray:
        """How normal the rows of X (n_samples, n_features) are, (n_samples,) float64, higher for more normal ones.

        Minus the anomaly scores of `anomalies`.
        """
        return -anomalies.scores(self, X)

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Put every attribute back if what happens inside fails: bad data must not damage a fitted model."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one HDF5 file, atomically; `stacked.load` reads it back."""
        from ..files import write_model
        from .saving import to_record

        check_is_fitted(self, "network_")
        self._check_unchanged()
        write_model(path, to_record(self))

    @property
    def templates(self) -> Any:
        """The unfitted units that are trained one on another: none, but in a stack."""
        return []

    @property
    def _built(self) -> Any:
        """Those of the templates that the network is made of."""
        return self.templates

    def _trained_units(self) -> list[Any]:
        """The units as pretrained, from the data upwards."""
        raise NotImplementedError

    def _check_unchanged(self) -> None:
        """SettingError if the parameters are not those of the fitted network any more."""

    def _threads(self) -> AbstractContextManager[int]:
        """Run kernels on ``n_threads`` threads, checked, inside the ``with`` block."""
        return thread_limit(thread_count(self.n_threads))

    @property
    def _network(self) -> Network:
        """The network with products of the precision that is set now."""
        return self.network_.at(self.precision)

    @property
    def _sample_shape(self) -> tuple[int, ...]:
        """Shape of the samples that a fitted model was trained on; in use rows may be flat."""
        return self.scaling_.sample_shape

    @property
    def _n_features_out(self) -> int:
        return self.network_.layers[self.n_code_layers_ - 1].n_out

    def _fitted_rows(self, X: Any) -> tuple[Rows, tuple[float, float]]:
        """Rows of X, scaled as the model's input is but for the (scale, offset) to load them with.

        Floats must lie in [0, 1] for a model that knows nothing else, or near it if its outputs can be any numbers.
        """
        check_is_fitted(self, "network_")
        rows, scaling = rows_for(self, X, reset=False), self.scaling_
        floats = rows.value_dtype.kind == "f" and scaling.unit_range and scaling.mode in ("auto", "none")
        if not (floats and scaling.method in (AS_IS, IMAGES)):
            return scaling.in_use(rows, self.network_.params.dtype, sequences=self.takes_sequences)
        data = summarize(rows, self.takes_sequences)
        rows, scaled = scaling.in_use(rows, self.network_.params.dtype, data)
        if self.visible_activation == "sigmoid":
            check_range("sigmoid", scaled, data, rows.name, fitted=True)
        elif max(data.maximum, -data.minimum) > FAR:
            found = f"[{data.minimum:.6g}, {data.maximum:.6g}]"
            raise DataError(
                f"{rows.name}: expected values like those of the training, in [0, 1], found {found}; give data in the same units"
            )
        return rows, scaled

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []  # the precision is a parameter, not the input's
        return tags


class Reconstructor(Model):
    """Base of the estimators that also decode: everything but classifiers."""

    def inverse_transform(self, codes: Any) -> np.ndarray:
        """Reconstructions (n_samples, n_features), in the units of the training data, of codes (n_samples, n_code).

        Of sequences with a code a step they end where the codes do, in NaN; one code a sequence does not tell its length.
        Of a model with targets they are answers (n_samples, n_target) in the units of these.
        """
        check_is_fitted(self, "network_")
        rows = self._code_rows(codes)
        with self._threads():
            return self._undone(self._network.apply(rows, first=self.n_code_layers_))

    def reconstruct(self, X: Any) -> np.ndarray:
        """What the model makes of X (n_samples, n_features) after encoding and decoding, in the units of X.

        Of a model with targets they are answers (n_samples, n_target) in the units of these.
        """
        rows, scaled = self._fitted_rows(X)
        with self._threads():
            return self._undone(self._network.apply(rows, *scaled), scaled)

    def _code_rows(self, codes: Any) -> Rows:
        """The rows of codes, sequences where each step has its own."""
        rows, shape = as_rows(codes, name="<codes>"), self.network_.layers[self.n_code_layers_ - 1].code_shape
        check_width(rows, self._n_features_out)
        return shaped(rows, shape) if len(shape) == 2 else rows

    def _undone(self, out: np.ndarray, scaled: tuple[float, float] | None = None) -> np.ndarray:
        """Answers (n, n_out) in raw units, in place; ``scaled`` as `InputScaling.undo` takes it."""
        if self.target_ is None or self.target_.scaling is None:
            return self.scaling_.undo(out, scaled)
        return self.target_.scaling.undo(out)

    def score(self, X: Any, y: Any = None, *, target: Any = None) -> float:
        """Minus the squared error of the reconstruction per sample, summed over features, in scaled units: higher is better.

        A model with targets is compared with the ``target`` of X; one that is told its own answers as it goes is told those.
        """
        rows, scaled = self._fitted_rows(X)
        goal = goal_for(self.target_, target, rows, self.network_.params.dtype)
        with self._threads():
            return -self._network.loss(rows, *scaled, "squared_error", goal=goal)
