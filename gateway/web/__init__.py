"""The HTTP host: sign-in, OpenAPI, live events, and the page shell to which features add routes and pages."""
