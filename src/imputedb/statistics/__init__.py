"""What is believed about rows: histograms, missing counts, and how operators change them."""
