"""The OpenAPI document: made of the table of routes and the mapping tables, so that nothing is described twice."""
