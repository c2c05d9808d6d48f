"""Statistics of tables: histograms, missing counts, and the effects of operators on them."""
