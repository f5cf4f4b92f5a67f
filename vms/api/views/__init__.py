"""Views are translations: parameters, a row that the user may see, a table, an action, a document."""
