"""Deep classifier: a softmax layer on the encoder of a pretrained stack (Bengio et al. 2007; Vincent et al. 2010)."""

from copy import copy as shallow_copy
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d

from .. import anomalies
from ..checks import check_width
from ..data import Rows
from ..data.missing import refuse_missing
from ..errors import DataError
from ..inputs import rows_for
from ..layers import Dense, Layer
from ..parameters import declared
from ..training.feed import split_rows
from ..units.chain import Halves, chained, encoders
from .parameters import StackedClassifierParameters
from .stack import Callback, Stack

_SHARED = ("validation_fraction", "patience", "scaling", "precision", "n_threads", "random_state", "verbose")


@declared
class StackedClassifier(ClassifierMixin, Stack, StackedClassifierParameters):
    """Deep classifier: units pretrained one by one without labels, a softmax layer on top, fine-tuned with labels.

    Fine-tuning's loss is softmax cross-entropy. The attributes are those of `StackedAutoencoder`, and ``classes_`` (n_classes,),
    the labels in sorted order.
    """

    kind = "stacked_classifier"

    @classmethod
    def on(cls, stack: Stack, **params: Any) -> "StackedClassifier":
        """A classifier on a fitted stack's encoder as it stands, ready for `finetune` with labels; ``params`` are its settings."""
        check_is_fitted(stack, "network_")
        shared = {"units": stack.templates if stack._are_sizes else stack.units}
        classifier = cls(**{**shared, **{name: getattr(stack, name) for name in _SHARED}, **params})
        for name in ("units_", "scaling_", "seed_", "n_features_in_", "table_"):
            setattr(classifier, name, getattr(stack, name))
        classifier.history_ = [r for r in stack.history_ if r.phase == "pretrain"]
        classifier.n_code_layers_ = stack.n_code_layers_
        classifier.network_ = stack.network_.regrown(stack.network_.layers[: stack.n_code_layers_])
        return classifier

    def fit(self, X: Any, y: Any, X_unlabelled: Any = None, *, callback: Callback | None = None) -> "StackedClassifier":
        """`pretrain` on ``X_unlabelled`` (default: X), then `finetune` on X (n_samples, n_features) with labels y (n_samples,)."""
        self.plan()
        self._check_fit(X, y, X_unlabelled)
        self.pretrain(X if X_unlabelled is None else X_unlabelled, callback=callback)
        self.finetune(X, y, callback=callback)
        return self

    def _check_fit(self, X: Any, y: Any, X_unlabelled: Any) -> None:
        """Refuse before pretraining what fine-tuning would refuse after it; on a copy, so that nothing changes here."""
        copy = shallow_copy(self)
        rows = rows_for(copy, X, reset=True)
        copy._targets(rows, y)
        if X_unlabelled is not None:
            unlabelled = rows_for(copy, X_unlabelled, reset=True)
            if copy.table_ is not None:  # categories and means are those of the rows without labels
                rows = rows_for(copy, X, reset=False)
            check_width(unlabelled, rows.n_columns)
            copy._prepare(unlabelled, reset=True)
            copy._prepare(rows, reset=False)
        split_rows(rows.n_rows, copy.plan().on(rows.n_rows).validation_fraction, 0)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n_samples, n_classes), columns in the order of ``classes_``."""
        check_is_fitted(self, "classes_")
        rows, scaled = self._fitted_rows(X)
        with self._threads():
            return self._network.apply(rows, *scaled)

    def predict(self, X: Any) -> np.ndarray:
        """Most probable labels (n_samples,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def score_samples(self, X: Any) -> np.ndarray:
        """How normal the rows of X (n_samples, n_features) are: the log of the summed exponentials of the logits, (n_samples,)."""
        check_is_fitted(self, "classes_")
        return -anomalies.energies(self, X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Accuracy on X (n_samples, n_features) with labels y (n_samples,); None takes the labels that `Rows` carry."""
        y = X.labels if y is None and isinstance(X, Rows) else y
        if y is None:
            raise DataError("score: requires y to be passed, but the target y is None")
        refuse_missing(y, "y")
        from sklearn.metrics import accuracy_score

        return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))

    def _layers(self, chain: list[Halves]) -> list[Layer]:
        layers = encoders(chain)
        if hasattr(self, "classes_"):
            layers.append(Dense(layers[-1].n_out, len(self.classes_), "softmax"))
        return layers

    def _loss(self) -> str:
        return "softmax_cross_entropy"

    def _targets(self, rows: Rows, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """(classes in sorted order, class number of every row), checked."""
        y = rows.labels if y is None else y
        if y is None:
            raise DataError(f"{rows.name}: requires y to be passed, but the target y is None")
        refuse_missing(y, "y")
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        if len(y) != rows.n_rows:
            raise DataError(f"{rows.name}: expected one label a row, found {len(y)} labels for {rows.n_rows} rows")
        classes, numbers = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise DataError(f"{rows.name}: a classifier needs at least two classes, found one class ({classes[0]})")
        return classes, numbers.astype(np.int64)

    def _accept(self, targets: Any) -> np.ndarray:
        """Set ``classes_``, and for classes other than before put a new softmax layer, at zero, on the encoder."""
        classes, numbers = targets
        known = getattr(self, "classes_", None)
        self.classes_ = classes
        if hasattr(self, "network_") and not (known is not None and np.array_equal(known, classes)):
            encoder = self.network_.regrown(self.network_.layers[: self.n_code_layers_])
            self.network_ = encoder.regrown(self._layers(chained(self.templates, self._sample_shape)))
        return numbers
