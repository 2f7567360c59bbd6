package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/kadr-app/kadr/api"
	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
)

// GetHealth says that the process is alive.
func (s *Server) GetHealth(context.Context, server.GetHealthRequestObject) (server.GetHealthResponseObject, error) {
	return server.GetHealth200JSONResponse{Status: server.HealthStatusOk}, nil
}

// readyTimeout is how long the checks may take together.
const readyTimeout = 5 * time.Second

// GetReadiness tries the database, the storage and the decoders, all at once. A storage that is full is told, and does not
// count as a failure: who took the server out of service for it would take away all that still works.
func (s *Server) GetReadiness(ctx context.Context, _ server.GetReadinessRequestObject) (server.GetReadinessResponseObject, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var database, storage, decoders error
	var wg sync.WaitGroup
	wg.Go(func() { database = s.checks.Database(ctx) })
	wg.Go(func() { storage = s.checks.Storage(ctx) })
	wg.Go(func() { decoders = s.checks.Decoders(ctx) })
	wg.Wait()

	r := server.Readiness{
		Status: server.ReadinessStatusOk, Database: checkStatus(database), Storage: server.ReadinessStorageOk,
		Decoders: checkStatus(decoders), Formats: s.formats,
	}
	if apperr.KindOf(storage) == apperr.InsufficientStorage {
		s.troubles.log(ctx, "not_ready_storage_full", "the storage is full: uploads are turned away", storage)
		r.Status, r.Storage, storage = server.ReadinessStatusDegraded, server.ReadinessStorageFull, nil
	}
	for name, err := range map[string]error{"database": database, "storage": storage, "decoders": decoders} {
		if err != nil {
			s.log.ErrorContext(ctx, "not ready", "check", name, "error", err)
			r.Status = server.ReadinessStatusFailing
		}
	}
	if s.checks.Draining() {
		r.Status = server.ReadinessStatusFailing
	}
	if storage != nil {
		r.Storage = server.ReadinessStorageFailing
	}
	if r.Status == server.ReadinessStatusFailing {
		return server.GetReadiness503JSONResponse(r), nil
	}
	return server.GetReadiness200JSONResponse(r), nil
}

func checkStatus(err error) server.CheckStatus {
	if err != nil {
		return server.CheckStatusFailing
	}
	return server.CheckStatusOk
}

func toAPIFormats(inputs, outputs []imaging.Format) server.Formats {
	mediaTypes := func(formats []imaging.Format) []server.MediaType {
		types := make([]server.MediaType, len(formats))
		for i, f := range formats {
			types[i] = server.MediaType(f.MediaType())
		}
		return types
	}
	return server.Formats{Input: mediaTypes(inputs), Output: mediaTypes(outputs)}
}

// GetInstance says what the instance allows.
func (s *Server) GetInstance(ctx context.Context, req server.GetInstanceRequestObject) (server.GetInstanceResponseObject, error) {
	registration, err := s.accounts.Registration(ctx)
	if err != nil {
		return nil, err
	}
	body := server.Instance{
		Registration: server.InstanceRegistration(registration), MaxUploadBytes: s.cfg.MaxUploadBytes, MaxPixels: s.cfg.MaxPixels,
		Formats: s.formats, Version: s.cfg.Version,
	}
	tag, err := tagOf(body)
	if err != nil {
		return nil, err
	}
	cache := "public, max-age=60"
	if notModified(req.Params.IfNoneMatch, tag) {
		return server.GetInstance304Response{Headers: server.GetInstance304ResponseHeaders{ETag: &tag, CacheControl: &cache}}, nil
	}
	return server.GetInstance200JSONResponse{Body: body, Headers: server.GetInstance200ResponseHeaders{ETag: &tag, CacheControl: &cache}}, nil
}

// contractFiles are the contract as it is served.
type contractFiles struct {
	yamlTag, jsonTag string
	json             map[string]any
	uploadSchema     *openapi3.Schema // of the upload's form, whose fields are validated one by one as they come
}

func newContractFiles(doc *openapi3.T) (contractFiles, error) {
	b, err := json.Marshal(doc)
	if err != nil {
		return contractFiles{}, fmt.Errorf("write the contract as JSON: %w", err)
	}
	var object map[string]any
	if err := json.Unmarshal(b, &object); err != nil {
		return contractFiles{}, fmt.Errorf("read the contract as JSON: %w", err)
	}
	upload := doc.Components.Schemas["ImageUpload"]
	if upload == nil {
		return contractFiles{}, errors.New("the contract has no schema ImageUpload")
	}
	return contractFiles{
		yamlTag: contentTag(api.OpenAPI), jsonTag: contentTag(b), json: object, uploadSchema: upload.Value,
	}, nil
}

// GetContractYAML serves the contract as it was written.
func (s *Server) GetContractYAML(_ context.Context, req server.GetContractYAMLRequestObject) (server.GetContractYAMLResponseObject, error) {
	tag := s.contract.yamlTag
	if notModified(req.Params.IfNoneMatch, tag) {
		return server.GetContractYAML304Response{Headers: server.NotModifiedResponseHeaders{ETag: &tag}}, nil
	}
	return server.GetContractYAML200ApplicationYamlResponse{
		Body: bytes.NewReader(api.OpenAPI), ContentLength: int64(len(api.OpenAPI)),
		Headers: server.GetContractYAML200ResponseHeaders{ETag: &tag},
	}, nil
}

// GetContractJSON serves the contract for tools that read only JSON.
func (s *Server) GetContractJSON(_ context.Context, req server.GetContractJSONRequestObject) (server.GetContractJSONResponseObject, error) {
	tag := s.contract.jsonTag
	if notModified(req.Params.IfNoneMatch, tag) {
		return server.GetContractJSON304Response{Headers: server.NotModifiedResponseHeaders{ETag: &tag}}, nil
	}
	return server.GetContractJSON200JSONResponse{
		Body: s.contract.json, Headers: server.GetContractJSON200ResponseHeaders{ETag: &tag},
	}, nil
}
