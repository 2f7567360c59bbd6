package imaging

import (
	"cmp"
	"image"
	"slices"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging/vips"
)

// plan is a job together with where each of its outputs stood in the request; the placeholder's place is -1.
type plan struct {
	job   vips.Job
	order []int
}

// recipe is what is known of an output before it is decided how it shares the decode with others.
type recipe struct {
	material
	index  int
	scaled extent // as displayed
	output vips.Output
}

// material is the part of the source that an output is made of. Outputs of the same material can be made of each other.
type material struct {
	cut           image.Rectangle // of the source, in pixels as stored
	orientation   int             // how it has to be turned: the source's own and what the shape asks for
	frame, frames int
}

// planJob decides how a set of outputs comes from one decode: which frames are decoded, how far they are shrunk while
// loading, and which output is made from which, the smaller from the next larger one. For an ingest, outputs that are not
// wanted are left out, a placeholder is added, and every frame is decoded.
func planJob(info Info, request wireRequest, fds []int) (plan, error) {
	var recipes []recipe
	for i, o := range request.Outputs {
		if request.Operation == opIngest && !o.wanted(info) {
			continue
		}
		r, err := request.recipe(info, o)
		if err != nil {
			return plan{}, err
		}
		r.index, r.output.FD = i, fds[i]
		recipes = append(recipes, r)
	}
	if request.Operation == opIngest {
		recipes = append(recipes, placeholder(info))
	}
	slices.SortStableFunc(recipes, func(a, b recipe) int { return cmp.Compare(b.scaled.pixels(), a.scaled.pixels()) })

	p := plan{job: vips.Job{Shrink: 1, Deliver: deliver}}
	p.choosePages(info, request.Operation == opIngest, recipes)
	if t, _ := info.Format.traits(); t.shrinks && info.Frames == 1 {
		p.job.Shrink = shrinkFor(info.stored(), recipes)
	}
	for i := range recipes {
		p.add(info, recipes, i)
	}
	return p, nil
}

// wanted tells whether an output is to be made of an ingested picture.
func (o wireOutput) wanted(info Info) bool {
	w, h := o.Size(info.Width, info.Height, o.Format)
	return o.When.holds(info) && extent{w, h}.pixels() < int64(info.Width)*int64(info.Height)
}

func (c Condition) holds(info Info) bool {
	moves := info.Frames > 1
	return !(c.Still && moves || c.Animated && !moves || c.Opaque && info.HasAlpha || c.Transparent && !info.HasAlpha) &&
		max(info.Width, info.Height) > c.LongerThan
}

// placeholder is the recipe for the pixels of a ThumbHash.
func placeholder(info Info) recipe {
	size := extent{info.Width, info.Height}.within(vips.HashSide)
	return recipe{
		material: material{cut: info.stored().bounds(), orientation: info.Orientation, frames: 1},
		index:    -1, scaled: size,
		output: vips.Output{Canvas: size.native(), Format: vips.Pixels},
	}
}

// recipe follows an output's shape. Sizes count from the request's, where the source is a smaller copy.
func (request wireRequest) recipe(info Info, o wireOutput) (recipe, error) {
	t, _ := o.Format.traits()
	source := extent{info.Width, info.Height}
	picture := source
	if request.Width > 0 && request.Height > 0 {
		picture = extent{request.Width, request.Height}
	}
	r := recipe{material: material{frames: 1, orientation: turn(info.Orientation, o.Rotate, o.Flip)}}
	switch {
	case request.Operation == opIngest:
	case o.Page > info.Frames:
		return r, apperr.Newf(ErrNoPage.Kind, ErrNoPage.Code, "The last frame is number %d.", info.Frames).At(ErrNoPage.Field)
	case o.Page > 0:
		r.frame = o.Page - 1
	case t.animated:
		r.frames = info.Frames
	}
	r.cut = stored(o.cutIn(picture, source), info.stored(), info.Orientation)

	_, f := o.frame(picture, o.Format)
	r.scaled = f.scaled
	if err := request.Limits.checkMade(f, r.frames); err != nil {
		return r, err
	}
	background := Color{255, 255, 255, true}
	if o.Background.Set {
		background = o.Background
	}
	seek, left, top := o.place(f)
	r.output = vips.Output{
		Seek: seek, Left: left, Top: top, Canvas: f.canvas.native(), Blur: o.Blur,
		Opaque: o.Background.Set || !t.alpha, Background: [3]byte{background.R, background.G, background.B},
		Format: t.native, Quality: cmp.Or(o.Quality, t.quality), Effort: min(cmp.Or(o.Effort, t.effort), t.maxEffort),
		Intermediate: o.Intermediate, Kept: seek != vips.SeekNone || o.Blur > 0,
	}
	return r, nil
}

// place finds where the canvas begins in the scaled picture.
func (s Shape) place(f framing) (seek vips.Seek, left, top int) {
	free := extent{f.scaled.width - f.canvas.width, f.scaled.height - f.canvas.height}
	left, top = free.width/2, free.height/2
	if s.Fit != FitCover && s.Fit != FitContain {
		return vips.SeekNone, left, top
	}
	switch s.Position {
	case Attention, Entropy:
		if s.Fit == FitCover && f.scaled != f.canvas {
			seek = map[Position]vips.Seek{Attention: vips.SeekAttention, Entropy: vips.SeekEntropy}[s.Position]
		}
	case Top, TopLeft, TopRight:
		top = 0
	case Bottom, BottomLeft, BottomRight:
		top = free.height
	}
	switch s.Position {
	case Left, TopLeft, BottomLeft:
		left = 0
	case Right, TopRight, BottomRight:
		left = free.width
	}
	return seek, left, top
}

// choosePages decides which frames are decoded: all to check or to show them, or those between the first and the last
// one asked for.
func (p *plan) choosePages(info Info, ingest bool, recipes []recipe) {
	switch {
	case ingest:
		p.job.Frames, p.job.Used = info.Frames, 1
		return
	case len(recipes) == 0:
		return
	}
	first, end := info.Frames, 0
	for _, r := range recipes {
		first, end = min(first, r.frame), max(end, r.frame+r.frames)
	}
	p.job.Page, p.job.Frames, p.job.Used = first, end-first, end-first
}

// add puts the recipe with the given number into the job, made from the smallest earlier output that can serve.
func (p *plan) add(info Info, recipes []recipe, number int) {
	r := recipes[number]
	o := r.output
	o.From, o.Frame, o.Frames, o.Orientation = -1, r.frame-p.job.Page, r.frames, 1
	for i, earlier := range recipes[:number] {
		if earlier.material == r.material && earlier.scaled.holds(r.scaled) {
			o.From = i // the last one is the smallest
		}
	}
	if o.From >= 0 {
		o.Scaled = r.scaled.native()
		p.job.Outputs[o.From].Kept = true
	} else {
		o.Orientation, o.Scaled = r.orientation, r.scaled.turned(r.orientation).native()
		if whole := info.stored(); r.cut != whole.bounds() {
			o.Crop = shrunk(r.cut, whole, p.job.Shrink)
		}
	}
	p.job.Outputs = append(p.job.Outputs, o)
	p.order = append(p.order, r.index)
}

// shrinkFor returns the factor that the decoder itself should shrink by: the largest that leaves every output's part of
// the picture at least as large as it shall be. libvips' own thumbnailer keeps twice as much; that costs 1.2 to 1.4 times
// the time and shows in no measurement. But what is cut out begins between two pixels of the smaller picture, unless the
// factor divides the place; then twice as much is kept, so that no more than a quarter of a pixel is lost.
func shrinkFor(whole extent, recipes []recipe) int {
	for _, factor := range []int{8, 4, 2} {
		if !slices.ContainsFunc(recipes, func(r recipe) bool { return !r.allows(whole, factor) }) {
			return factor
		}
	}
	return 1
}

func (r recipe) allows(whole extent, factor int) bool {
	target, cut := r.scaled.turned(r.orientation), r.cut
	exact := cut == whole.bounds() ||
		cut.Min.X%factor == 0 && cut.Min.Y%factor == 0 && cut.Max.X%factor == 0 && cut.Max.Y%factor == 0
	if !exact {
		factor *= 2
	}
	return extent{cut.Dx() / factor, cut.Dy() / factor}.holds(target)
}
