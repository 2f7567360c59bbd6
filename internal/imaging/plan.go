package imaging

import (
	"cmp"
	"math"
	"slices"

	"github.com/kadr-app/kadr/internal/imaging/vips"
)

// extent is a width and a height in pixels.
type extent struct{ width, height int }

// times scales both sides.
func (s extent) times(scale float64) extent {
	return extent{rounded(float64(s.width) * scale), rounded(float64(s.height) * scale)}
}

// within returns s scaled down until no side is longer than maxSide; 0 is no limit.
func (s extent) within(maxSide int) extent {
	if longest := max(s.width, s.height); maxSide > 0 && longest > maxSide {
		return s.times(float64(maxSide) / float64(longest))
	}
	return s
}

func rounded(side float64) int { return max(1, int(math.Round(side))) }

// turned swaps the sides of what an orientation lays on its side.
func (s extent) turned(orientation int) extent {
	if orientation >= 5 {
		return extent{s.height, s.width}
	}
	return s
}

// shrinkFor returns the factor that the decoder itself should shrink by: the largest that leaves the picture at least as
// large as the target. libvips' own thumbnailer keeps twice the target; that costs 1.2 to 1.4 times the time and shows
// in no measurement.
func shrinkFor(picture, target extent) int {
	for _, factor := range []int{8, 4, 2} {
		if picture.width/factor >= target.width && picture.height/factor >= target.height {
			return factor
		}
	}
	return 1
}

// plan is a job together with where each of its outputs stood in the request.
type plan struct {
	job   vips.Job
	order []int
}

// planJob decides how a set of outputs comes from one decode: shrink while loading as far as the largest allows, resize
// to the largest, and make each smaller one from the one before it. With ingest, outputs that are not smaller than the
// picture are left out, a placeholder is added, and every frame is decoded.
func planJob(info Info, outputs []wireOutput, fds []int, ingest bool) plan {
	picture := extent{info.Width, info.Height}
	p := plan{job: vips.Job{Frames: 1, Shrink: 1, Orientation: info.Orientation, Deliver: deliver}}
	for i, o := range outputs {
		if ingest && o.Width >= info.Width {
			continue
		}
		t, _ := o.Format.traits()
		s := Shape{Width: o.Width}.boxed(picture).canvas.within(t.maxSide)
		p.order = append(p.order, i)
		p.job.Outputs = append(p.job.Outputs, vips.Output{
			Width: s.width, Height: s.height, Format: t.native, Quality: cmp.Or(o.Quality, t.quality),
			Effort: t.effort, FD: fds[i],
		})
	}
	p.sort()

	var largest extent
	if len(p.job.Outputs) > 0 {
		largest = extent{p.job.Outputs[0].Width, p.job.Outputs[0].Height}
	}
	if ingest {
		hash := picture.within(vips.HashSide)
		p.job.HashWidth, p.job.HashHeight = hash.width, hash.height
		p.job.Frames = info.Frames
		largest = extent{max(largest.width, hash.width), max(largest.height, hash.height)}
	}
	base := largest.turned(info.Orientation)
	p.job.BaseWidth, p.job.BaseHeight = base.width, base.height
	if t, _ := info.Format.traits(); t.shrinks && info.Frames == 1 {
		p.job.Shrink = shrinkFor(picture.turned(info.Orientation), base)
	}
	return p
}

// sort puts the largest output first and keeps order in step.
func (p *plan) sort() {
	type pair struct {
		output vips.Output
		index  int
	}
	pairs := make([]pair, len(p.order))
	for i := range pairs {
		pairs[i] = pair{p.job.Outputs[i], p.order[i]}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.output.Width, a.output.Width) })
	for i := range pairs {
		p.job.Outputs[i], p.order[i] = pairs[i].output, pairs[i].index
	}
}
