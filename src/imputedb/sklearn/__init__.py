"""imputedb's imputers as scikit-learn transformers. Needs scikit-learn, which imputedb itself does not import.

All learn from the rows of `fit` alone: a row is filled the same way whatever rows stand beside it in `transform`, so
nothing leaks across the folds of a cross-validation. `ModelImputer` learns once and keeps no rows, the others do.
"""

try:
    from imputedb.sklearn.chained import ChainedImputer
    from imputedb.sklearn.knn import KNNImputer
    from imputedb.sklearn.model import ModelImputer
except ImportError as error:
    raise ImportError("imputedb.sklearn needs one more package: pip install 'imputedb[sklearn]'") from error

__all__ = ["ChainedImputer", "KNNImputer", "ModelImputer"]
