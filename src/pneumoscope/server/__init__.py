"""The server: films in the browser and by API, a worklist, users."""
