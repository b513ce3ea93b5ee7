"""The interface of scikit-learn's estimators, without its import, which takes a second."""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class Estimator:
    """A clusterer as scikit-learn knows it: `get_params`, `set_params`, `fit_predict`, `clone`, tags.

    The parameters are those of ``__init__``, each kept as an attribute of its name.

    References
    ----------
    scikit-learn, "Developing scikit-learn estimators".
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by their names; ``deep`` changes nothing, as none has parameters of its own."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params: Any) -> Self:
        """Change parameters.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; known: {', '.join(known)}"
                )
            setattr(self, name, value)
        return self

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """Cluster the vectors X (n_items, dim), and return the labels (n_items,); ``y`` is ignored."""
        labels: NDArray[np.int64] = self.fit(X).labels_  # type: ignore[attr-defined]
        return labels

    def __repr__(self) -> str:
        params = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({params})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.base import BaseEstimator, ClusterMixin

        return type("Tags", (ClusterMixin, BaseEstimator), {})().__sklearn_tags__()
