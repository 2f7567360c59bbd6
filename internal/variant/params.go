package variant

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
)

// Ladder returns the widths that anybody may ask for, in pixels and ascending: few enough that a stranger cannot order
// work without end.
func Ladder() []int { return []int{64, 160, 320, 480, 640, 800, 1024, 1280, 1600, 1920, 2560, 3840} }

const (
	// MaxSide is the longest side of a box, in pixels before DPR.
	MaxSide = 8192
	// MaxResultPixels is how many pixels a frame of a variant may have where it is larger than the picture itself.
	MaxResultPixels = 1 << 26
)

// Params is what somebody asks for, in the words of a link's query. The zero value asks for the picture as it is.
type Params struct {
	Preset        string // the name of a preset; then there is nothing else but DPR
	Width, Height int    // w, h: pixels of the box before DPR; 0: not given
	DPR           float64
	Fit           imaging.Fit
	Position      imaging.Position
	Crop          imaging.Rect
	Rotate        int
	Flip          imaging.Flip
	Page          int
	Quality       int
	Background    imaging.Color
	Blur          float64
	Enlarge       bool
}

// parameterNames are the parameters of a query that make Params, in its canonical order.
func parameterNames() []string {
	return []string{
		"background", "blur", "crop", "dpr", "enlarge", "fit", "flip", "h", "page", "position", "preset", "q", "rotate", "w",
	}
}

// ParseParams reads a query. It looks at the parameters that shape a picture and leaves the others alone. Errors are Invalid
// and name the parameter.
func ParseParams(q url.Values) (Params, error) {
	var p Params
	var failed error
	for _, name := range parameterNames() {
		value := q.Get(name)
		if value == "" {
			continue
		}
		if err := p.set(name, value); err != nil && failed == nil {
			failed = apperr.New(apperr.Invalid, "invalid", fmt.Sprintf("%s: %v", name, err)).At("?" + name)
		}
	}
	return p, failed
}

var errValue = errors.New("this value makes no sense")

func (p *Params) set(name, value string) (err error) {
	switch name {
	case "preset":
		p.Preset = value
	case "w":
		p.Width, err = integer(value, 1, MaxSide)
	case "h":
		p.Height, err = integer(value, 1, MaxSide)
	case "dpr":
		p.DPR, err = decimal(value, 1, 3)
	case "fit":
		p.Fit, err = oneOf(imaging.Fit(value), imaging.FitInside, imaging.FitCover, imaging.FitContain, imaging.FitFill)
	case "position":
		p.Position, err = oneOf(imaging.Position(value), imaging.Center, imaging.Top, imaging.TopRight, imaging.Right,
			imaging.BottomRight, imaging.Bottom, imaging.BottomLeft, imaging.Left, imaging.TopLeft, imaging.Attention, imaging.Entropy)
	case "crop":
		p.Crop, err = parseRect(value)
	case "rotate":
		if p.Rotate, err = integer(value, 0, 270); err == nil && p.Rotate%90 != 0 {
			err = errValue
		}
	case "flip":
		p.Flip, err = oneOf(imaging.Flip(value), imaging.FlipHorizontal, imaging.FlipVertical, imaging.FlipBoth)
	case "page":
		p.Page, err = integer(value, 1, imaging.DefaultMaxFrames)
	case "q":
		p.Quality, err = integer(value, 1, 100)
	case "background":
		p.Background, err = parseColor(value)
	case "blur":
		p.Blur, err = decimal(value, 0.1, 100)
	case "enlarge":
		if p.Enlarge = value == "true"; !p.Enlarge && value != "false" {
			err = errors.New("must be true or false")
		}
	}
	return err
}

func integer(s string, least, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("must be a whole number from %d to %d", least, most)
	}
	return n, nil
}

func decimal(s string, least, most float64) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < least || n > most || math.IsNaN(n) {
		return 0, fmt.Errorf("must be a number from %g to %g", least, most)
	}
	return n, nil
}

func oneOf[T ~string](value T, allowed ...T) (T, error) {
	if !slices.Contains(allowed, value) {
		return "", errValue
	}
	return value, nil
}

func parseRect(s string) (imaging.Rect, error) {
	var side [4]int
	parts := strings.Split(s, ",")
	if len(parts) != len(side) {
		return imaging.Rect{}, errors.New("must be four numbers: x,y,width,height")
	}
	for i, part := range parts {
		n, err := integer(part, 0, 99_999_999)
		if err != nil || (i >= 2 && n == 0) {
			return imaging.Rect{}, errors.New("must be x,y,width,height: four numbers of at most 8 digits, the last two not 0")
		}
		side[i] = n
	}
	return imaging.Rect{X: side[0], Y: side[1], Width: side[2], Height: side[3]}, nil
}

func parseColor(s string) (imaging.Color, error) {
	n, err := strconv.ParseUint(s, 16, 24)
	if err != nil || len(s) != 6 {
		return imaging.Color{}, errors.New("must be six hexadecimal digits, such as ff8800")
	}
	return imaging.Color{R: uint8(n >> 16), G: uint8(n >> 8), B: uint8(n), Set: true}, nil
}

// Query writes the parameters as a link carries them. ParseParams reads the same back.
func (p Params) Query() url.Values {
	q := url.Values{}
	set := func(name, value string, given bool) {
		if given {
			q.Set(name, value)
		}
	}
	float := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	set("preset", p.Preset, p.Preset != "")
	set("w", strconv.Itoa(p.Width), p.Width > 0)
	set("h", strconv.Itoa(p.Height), p.Height > 0)
	set("dpr", float(p.DPR), p.DPR > 0 && p.DPR != 1)
	set("fit", string(p.Fit), p.Fit != "" && p.Fit != imaging.FitInside)
	set("position", string(p.Position), p.Position != "" && p.Position != imaging.Center)
	set("crop", fmt.Sprintf("%d,%d,%d,%d", p.Crop.X, p.Crop.Y, p.Crop.Width, p.Crop.Height), p.Crop != imaging.Rect{})
	set("rotate", strconv.Itoa(p.Rotate), p.Rotate != 0)
	set("flip", string(p.Flip), p.Flip != "")
	set("page", strconv.Itoa(p.Page), p.Page > 0)
	set("q", strconv.Itoa(p.Quality), p.Quality > 0)
	set("background", p.Background.String(), p.Background.Set)
	set("blur", float(p.Blur), p.Blur > 0)
	set("enlarge", "true", p.Enlarge)
	return q
}

// Free tells whether anybody may order this without a signature: the picture as it is, a width of the Ladder, or a preset.
func (p Params) Free() bool {
	if p.Preset != "" {
		return true // what is given beside it is refused by Check
	}
	rest := p
	rest.Width, rest.DPR = 0, 0
	if p.Fit == imaging.FitInside {
		rest.Fit = ""
	}
	return rest == Params{} && (p.Width == 0 || slices.Contains(Ladder(), p.Width))
}

// Check returns what is contradictory in the parameters whatever the picture, as Invalid errors that name one.
func (p Params) Check() error {
	box, both := p.Width > 0 || p.Height > 0, p.Width > 0 && p.Height > 0
	fault := func(name, text string) error { return apperr.New(apperr.Invalid, "contradictory", text).At("?" + name) }
	alone := p
	alone.DPR = 0
	switch {
	case p.Preset != "" && alone != Params{Preset: p.Preset}:
		return fault("preset", "A preset says everything; only dpr goes beside it.")
	case p.Preset == "" && p.DPR > 0 && !box:
		return fault("dpr", "dpr multiplies w and h, and neither is given.")
	case p.Fit != "" && p.Fit != imaging.FitInside && !both:
		return fault("fit", "This fit needs both w and h.")
	case p.Position != "" && p.Fit != imaging.FitCover && p.Fit != imaging.FitContain:
		return fault("position", "position goes with fit=cover or fit=contain.")
	case (p.Position == imaging.Attention || p.Position == imaging.Entropy) && p.Fit != imaging.FitCover:
		return fault("position", "attention and entropy go with fit=cover.")
	case p.Enlarge && !box:
		return fault("enlarge", "enlarge needs w or h.")
	}
	return nil
}

// Shape resolves the parameters for a picture and a format. Presets are expanded before (see Presets.Expand). Errors are
// Invalid and name the parameter.
func (p Params) Shape(src Source, f imaging.Format) (Shape, error) {
	if err := p.Check(); err != nil {
		return Shape{}, err
	}
	fault := func(name, text string) error { return apperr.New(apperr.Invalid, "out_of_range", text).At("?" + name) }
	scale := max(p.DPR, 1)
	shape := Shape{
		Format: f, Quality: p.Quality,
		Shape: imaging.Shape{
			Page: p.Page, Crop: p.Crop, Rotate: p.Rotate, Flip: p.Flip, Width: int(float64(p.Width) * scale),
			Height: int(float64(p.Height) * scale), Fit: p.Fit, Position: p.Position, Enlarge: p.Enlarge, Blur: p.Blur,
			Background: p.Background,
		},
	}
	width, height := shape.Size(src.Width, src.Height, f)
	switch {
	case p.Page > src.Frames:
		return Shape{}, fault("page", fmt.Sprintf("The last frame is number %d.", src.Frames))
	case p.Crop.X >= src.Width && p.Crop.X > 0, p.Crop.Y >= src.Height && p.Crop.Y > 0:
		return Shape{}, fault("crop", fmt.Sprintf("This lies outside of the picture, which has %d × %d pixels.", src.Width, src.Height))
	case int64(width)*int64(height) > max(MaxResultPixels, int64(src.Width)*int64(src.Height)):
		return Shape{}, fault("w", fmt.Sprintf("A picture of %d × %d pixels is more than is made here.", width, height))
	}
	return shape, nil
}
