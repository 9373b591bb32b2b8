"""Apache Spark: the compiled plan and the queries of the features, in its dialect, with identical results."""
