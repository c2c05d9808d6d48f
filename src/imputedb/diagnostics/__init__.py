"""What can be said of missing values and of imputations, as data: patterns, flux, Little's test, convergence."""
