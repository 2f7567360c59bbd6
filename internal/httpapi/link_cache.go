package httpapi

import (
	"context"
	"hash/maphash"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kadr-app/kadr/internal/token"
)

// LinkCache remembers, for a moment, how links of pictures that everybody may see were answered, so that a picture that
// many look at takes neither a query nor a look at the contract: what was asked for in the same words was valid before.
//
// What it knows of a picture is forgotten when that is deleted or changed: here before the change is acknowledged, on
// other replicas when the database tells them. While a replica may not hear of changes, since it has lost the database, it
// remembers nothing (Lost), and nothing is remembered longer than hotLifetime whatever happens.
type LinkCache struct {
	off    atomic.Bool
	seed   maphash.Seed
	shards [hotShards]hotShard
	hits   atomic.Uint64 // requests that were answered from here
	misses atomic.Uint64 // requests for a picture that were not
}

// Stats returns how many requests for pictures were answered from memory, and how many were not, since the start.
func (h *LinkCache) Stats() (hits, misses uint64) { return h.hits.Load(), h.misses.Load() }

const (
	hotLifetime = 2 * time.Second
	hotShards   = 64
	// hotImages and hotKeys bound what is remembered: pictures in a shard, and links of a picture.
	hotImages = 512
	hotKeys   = 64
	// hotKeyLength is the longest link that is remembered, in bytes.
	hotKeyLength = 512
)

type hotShard struct {
	mu     sync.RWMutex
	images map[string]map[string]hotLink // by id, then by key
	epoch  uint64                        // counts what was forgotten
}

type hotLink struct {
	*delivery
	until time.Time
}

// NewLinkCache returns an empty LinkCache, which remembers nothing before Restored is called.
func NewLinkCache() *LinkCache {
	h := &LinkCache{seed: maphash.MakeSeed()}
	for i := range h.shards {
		h.shards[i].images = map[string]map[string]hotLink{}
	}
	h.off.Store(true)
	return h
}

func (h *LinkCache) shard(id string) *hotShard {
	return &h.shards[maphash.String(h.seed, id)%hotShards]
}

// watch is called before the database is asked about a picture, and its result goes to keep: what was asked before
// something was forgotten is not remembered after it.
func (h *LinkCache) watch(id string) uint64 {
	s := h.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.epoch
}

// keep remembers how a request is answered.
func (h *LinkCache) keep(req *http.Request, d *delivery, since uint64) {
	id, key := hotKey(req)
	if id != d.id || d.path == "" || h.off.Load() { // under another id it could not be found again to be forgotten
		return
	}
	s := h.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != since || h.off.Load() {
		return
	}
	links := s.images[id]
	if links == nil {
		if len(s.images) >= hotImages {
			s.evict()
		}
		links = map[string]hotLink{}
		s.images[id] = links
	}
	if len(links) >= hotKeys {
		clear(links)
	}
	links[key] = hotLink{d, time.Now().Add(hotLifetime)}
}

// evict makes room: for what is over first, and else at random. The caller holds mu.
func (s *hotShard) evict() {
	now := time.Now()
	for id, links := range s.images {
		for key, l := range links {
			if now.After(l.until) {
				delete(links, key)
			}
		}
		if len(links) == 0 {
			delete(s.images, id)
		}
	}
	for id := range s.images {
		if len(s.images) < hotImages {
			return
		}
		delete(s.images, id)
	}
}

// find returns what is remembered of a request's answer, or nil.
func (h *LinkCache) find(req *http.Request) *delivery {
	id, key := hotKey(req)
	if key == "" {
		return nil
	}
	s := h.shard(id)
	s.mu.RLock()
	l, ok := s.images[id][key]
	s.mu.RUnlock()
	if !ok || time.Now().After(l.until) {
		return nil
	}
	return l.delivery
}

// hotKey is the picture's id and what an answer depends on: the link as it was sent and, where that leaves the format open,
// what the client takes. The key is empty for requests that are none of this file's business.
func hotKey(req *http.Request) (id, key string) {
	const prefix, idLength = len("/i/"), 13
	uri := req.RequestURI
	if len(uri) < prefix+idLength || len(uri) > hotKeyLength || !strings.HasPrefix(uri, "/i/") ||
		(req.Method != http.MethodGet && req.Method != http.MethodHead) || req.ContentLength != 0 || req.Header["Authorization"] != nil || !isValidCondition(req.Header["If-None-Match"]) {
		return "", ""
	}
	id, rest := uri[prefix:prefix+idLength], uri[prefix+idLength:]
	if strings.HasPrefix(rest, ".") {
		return id, uri
	}
	a := readAccept(req.Header)
	for _, takes := range []bool{a.AVIF, a.WebP, a.Anything} {
		uri += map[bool]string{true: "\x01", false: "\x00"}[takes]
	}
	return id, uri
}

// isValidCondition tells whether the contract takes an If-None-Match, in however many lines it came. What it does not take is
// refused as everywhere, whether the picture is remembered or not.
func isValidCondition(lines []string) bool {
	if lines == nil {
		return true
	}
	condition := strings.Join(lines, ", ")
	return condition != "" && len(condition) <= 500 && !strings.ContainsFunc(condition, func(r rune) bool { return r < ' ' || r > '~' })
}

// Changed forgets pictures.
func (h *LinkCache) Changed(ids []string) {
	for _, id := range ids {
		s := h.shard(id)
		s.mu.Lock()
		s.epoch++
		delete(s.images, id)
		s.mu.Unlock()
	}
}

// ChangedAll forgets everything.
func (h *LinkCache) ChangedAll() {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		s.epoch++
		clear(s.images)
		s.mu.Unlock()
	}
}

// Lost remembers nothing from now on: changes may not be heard of.
func (h *LinkCache) Lost() {
	h.off.Store(true)
	h.ChangedAll()
}

// Restored begins to remember again.
func (h *LinkCache) Restored() {
	h.ChangedAll()
	h.off.Store(false)
}

// serveHot answers what the cache remembers and leaves the rest to next.
func (s *Server) serveHot(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if d := s.hot.find(req); d == nil || !s.sendHot(w, req, d) {
			next.ServeHTTP(w, req)
		}
	})
}

// sendHot reports whether it has answered. It leaves to others whatever may end in a problem document.
func (s *Server) sendHot(w http.ResponseWriter, req *http.Request, d *delivery) bool {
	start := time.Now()
	if lines := req.Header["If-None-Match"]; len(lines) > 1 || len(lines) == 1 && (lines[0] == "" || len(lines[0]) > 500) {
		return false // the contract may have something against it
	}
	gateway := s.byGateway(req)
	if !gateway && (req.Header["Range"] != nil || req.Header["If-Match"] != nil || req.Header["If-Unmodified-Since"] != nil) {
		return false
	}
	if s.meter != nil {
		s.meter.Started()
		defer s.meter.Ended()
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(start.Add(s.cfg.Patience)) // the one of the connection's last request is over
	id := token.ID()
	var traced func(operation, route string, status int, size int64)
	if s.trace != nil {
		var ctx context.Context
		ctx, traced = s.trace(req, id)
		req = req.WithContext(ctx)
	}
	h := w.Header()
	h["X-Request-Id"] = []string{id}
	var status int
	var size int64
	if gateway {
		status = d.redirect(w, req)
	} else {
		f, err := s.cfg.Storage.Open(d.path)
		if err != nil {
			s.hot.Changed([]string{d.id}) // evicted, perhaps; whoever looks properly will know
			clear(h)
			return false // and the trace, if any, is not kept: the request has another
		}
		defer f.Close()
		setSecurityHeaders(h)
		out := d.send(w, req, f, s.cfg.Patience)
		status, size = out.status, out.size
	}
	s.hot.hits.Add(1)
	took := time.Since(start)
	if t := s.hotTallies.of(req.Method, status); t != nil {
		t.Add(size, took)
	}
	if traced != nil {
		traced("getFile", "/i/{file}", status, size)
	}
	if ctx := req.Context(); s.log.Enabled(ctx, slog.LevelInfo) {
		info := requestInfo{id: id, request: req, address: addressOf(s.addressOf(req))}
		s.logRequest(context.WithValue(ctx, requestInfoKey, info), slog.LevelInfo, status, size, took)
	}
	return true
}
