package variant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
)

// smallPixels is up to how many pixels of a result count as small: those go ahead of what takes longer.
const smallPixels = 640 * 640

// makeFromMaster makes variants from the picture's master, which another task may be about to make; or from the original
// where there is none after all.
func (t *task) makeFromMaster(ctx context.Context, jobs []*job) {
	if t.master != nil {
		<-t.master.done
	}
	_, k, _ := t.masterOf(t.src)
	file := t.openMaster(ctx, k)
	if file == nil {
		t.makeFromOriginal(ctx, jobs, nil)
		return
	}
	defer file.Close()
	err := t.render(ctx, file, jobs, true)
	switch {
	case err == nil:
	case lasting(err) != nil:
		// The master is damaged. Whoever comes next makes a new one.
		t.cfg.Log.WarnContext(ctx, "a master does not decode, and is removed", "variant", k, "error", err)
		if err := t.blobs.RemoveVariant(ctx, k.ref, k.name); err != nil {
			t.cfg.Log.WarnContext(ctx, "a master could not be removed", "variant", k, "error", err)
		}
		t.makeFromOriginal(ctx, jobs, nil)
	default:
		t.giveUp(jobs, err)
	}
}

// makeFromOriginal makes variants, and the master unless it is nil, from one decode of the original.
func (t *task) makeFromOriginal(ctx context.Context, jobs []*job, master *job) {
	all := jobs
	if master != nil {
		all = append(jobs[:len(jobs):len(jobs)], master)
	}
	file, err := t.blobs.Open(ctx, t.src.Ref)
	if err != nil {
		t.giveUp(all, err)
		return
	}
	defer file.Close()
	err = t.render(ctx, file, all, false)
	if err == nil {
		return
	}
	if lasting(err) == nil || len(all) == 1 {
		t.giveUp(all, err)
		return
	}
	// One of them may be to blame, or all of them together.
	if master != nil {
		t.giveUp([]*job{master}, err)
	}
	hopeless := map[imaging.Format]error{} // a format's smallest picture fails
	for _, j := range t.leastFirst(jobs) {
		err := hopeless[j.shape.Format]
		if err == nil {
			err = t.render(ctx, file, []*job{j}, false)
		}
		if err == nil {
			continue
		}
		if lasting(err) != nil && isPlain(j.shape) {
			hopeless[j.shape.Format] = err
		}
		t.giveUp([]*job{j}, err)
	}
}

// isPlain tells a shape that takes the whole picture, so that only the picture can be at fault.
func isPlain(shape Shape) bool { return shape.Page == 0 && shape.Crop == imaging.Rect{} }

// leastFirst sorts jobs by what can go wrong with them: first the plain ones, of those the smallest.
func (t *task) leastFirst(jobs []*job) []*job {
	effort := func(j *job) int {
		if !isPlain(j.shape) {
			return math.MaxInt
		}
		width, height := j.shape.Size(t.src.Width, t.src.Height, j.shape.Format)
		return width * height
	}
	return slices.SortedStableFunc(slices.Values(jobs), func(a, b *job) int { return cmp.Compare(effort(a), effort(b)) })
}

// render makes pictures from one decode of a file: the original, or a reduced copy of it. It ends the jobs, unless it
// returns an error: then none of them has come to anything. Where the storage is full they are made in memory (unkept.go).
func (t *task) render(ctx context.Context, from *os.File, jobs []*job, reduced bool) error {
	variants := make([]*blob.Variant, len(jobs))
	files := make([]*os.File, len(jobs))
	for i, j := range jobs {
		v, err := t.blobs.NewVariant(ctx, j.key.ref, j.key.name)
		if errors.Is(err, blob.ErrStorageFull) {
			return t.renderUnkept(ctx, from, jobs, reduced)
		}
		if err != nil {
			return err
		}
		defer v.Discard()
		variants[i], files[i] = v, v.File()
	}
	if _, err := t.decoders.Render(ctx, from, t.request(jobs, files, reduced)); err != nil {
		// What a decoder that could not write says may be anything, even that it is the picture's fault.
		if kind := apperr.KindOf(err); (kind == apperr.Internal || lasting(err) != nil) && errors.Is(t.blobs.Check(ctx), blob.ErrStorageFull) {
			return t.renderUnkept(ctx, from, jobs, reduced)
		}
		return err
	}
	var made []Entry
	var again []*job
	for i, j := range jobs {
		entry, err := t.publish(j.key, variants[i])
		switch {
		case errors.Is(err, blob.ErrStorageFull):
			again = append(again, j)
		case err != nil:
			t.giveUp([]*job{j}, err)
		default:
			made = append(made, entry)
			t.finish(j, nil)
		}
	}
	t.record(made)
	if len(again) > 0 {
		if err := t.renderUnkept(ctx, from, again, reduced); err != nil {
			t.giveUp(again, err)
		}
	}
	return nil
}

// request is what the decoders are asked for.
func (t *task) request(jobs []*job, files []*os.File, reduced bool) imaging.RenderRequest {
	req := imaging.RenderRequest{Limits: t.cfg.Limits, Priority: t.priority(jobs)}
	if reduced {
		req.Width, req.Height = t.src.Width, t.src.Height
	}
	for i, j := range jobs {
		out := imaging.Output{
			Shape: j.shape.Shape, Format: j.shape.Format, Quality: j.shape.Quality, Intermediate: j.master, File: files[i],
		}
		if out.Format == imaging.AVIF {
			out.Effort = t.cfg.AVIFEffort
		}
		req.Outputs = append(req.Outputs, out)
	}
	return req
}

// priority is the most urgent of all: the others cost little beside the decode that they share.
func (t *task) priority(jobs []*job) imaging.Priority {
	if t.background {
		return imaging.PriorityBackground
	}
	for _, j := range jobs {
		width, height := j.shape.Size(t.src.Width, t.src.Height, j.shape.Format)
		if !j.master && width*height <= smallPixels {
			return imaging.PriorityHigh
		}
	}
	return imaging.PriorityNormal
}

// publish gives a file its place. Its digest is known from then on.
func (m *Maker) publish(k key, v *blob.Variant) (Entry, error) {
	if err := v.Commit(); err != nil {
		return Entry{}, err
	}
	info, err := v.File().Stat()
	if err == nil {
		_, err = m.digest(k, v.File(), info)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("variant: read %s: %w", k, err)
	}
	return Entry{Ref: k.ref, Name: k.name, Size: info.Size()}, nil
}

// recordPause is how long files that were made wait to be taken down together.
const recordPause = 50 * time.Millisecond

// record takes down files that were made, soon: one statement for many costs little more than for one, and nobody waits for
// it. They are there whatever comes of it; the walk finds those that are not on record.
func (m *Maker) record(made []Entry) {
	if len(made) == 0 {
		return
	}
	for _, e := range made {
		m.grown.Add(e.Size)
		m.counts.made.Add(1)
		m.counts.madeBytes.Add(uint64(max(e.Size, 0)))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	first := len(m.made) == 0
	m.made = append(m.made, made...)
	if !first {
		return
	}
	write := func() {
		select {
		case <-m.ctx.Done():
		case <-time.After(recordPause):
		}
		m.recordMade()
	}
	if m.closed { // Run has ended, or waits for what works
		go write()
		return
	}
	m.working.Go(write)
}

// recordMade takes down what waits for it.
func (m *Maker) recordMade() {
	m.mu.Lock()
	made := m.made
	m.made = nil
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.ctx), storeTimeout)
	defer cancel()
	for entries := range slices.Chunk(made, recordBatch) {
		if err := m.store.Record(ctx, entries, nil); err != nil {
			m.cfg.Log.WarnContext(ctx, "variants could not be recorded", "error", err)
		}
	}
}
