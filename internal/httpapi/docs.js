// Starts Swagger UI on the contract that this instance serves. Trying operations out uses the browser's own session.
window.SwaggerUIBundle({
  url: '/openapi.yaml',
  dom_id: '#docs',
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
  withCredentials: true,
});
