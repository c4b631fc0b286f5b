"""OData: paths, query options, filters and searches over any collection, refusals."""
