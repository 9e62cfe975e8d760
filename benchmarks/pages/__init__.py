"""What the benchmark of the pages needs: a large store, and the pages to look at."""
