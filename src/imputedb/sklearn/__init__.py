"""imputedb's imputers as scikit-learn transformers. They need scikit-learn, which imputedb itself does not import.

All learn from the rows of `fit` only: a row is imputed independently of other rows in `transform`, so that nothing
leaks across the folds of a cross-validation. `ModelImputer` learns once and stores no rows; the others store them.
"""

try:
    from imputedb.sklearn.chained import ChainedImputer
    from imputedb.sklearn.knn import KNNImputer
    from imputedb.sklearn.model import ModelImputer
except ImportError as error:
    raise ImportError("imputedb.sklearn needs one more package: pip install 'imputedb[sklearn]'") from error

__all__ = ["ChainedImputer", "KNNImputer", "ModelImputer"]
