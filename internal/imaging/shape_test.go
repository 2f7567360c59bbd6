package imaging_test

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/imaging/imagetest"
)

const (
	shapedWidth  = 120
	shapedHeight = 80
)

func white(float64, float64) color.NRGBA { return color.NRGBA{255, 255, 255, 255} }

// part is the picture that shows only some of another, from one corner to the other in parts of its sides.
func part(at func(u, v float64) color.NRGBA, u0, v0, u1, v1 float64) func(u, v float64) color.NRGBA {
	return func(u, v float64) color.NRGBA { return at(u0+u*(u1-u0), v0+v*(v1-v0)) }
}

// TestShapes makes every field of a shape from a picture of 120 × 80 pixels, and knows what each result shows.
func TestShapes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		shape imaging.Shape
		w, h  int
		shows func(u, v float64) color.NRGBA
	}{
		"as it is":          {imaging.Shape{}, 120, 80, gradient},
		"width":             {imaging.Shape{Width: 60}, 60, 40, gradient},
		"height":            {imaging.Shape{Height: 20}, 30, 20, gradient},
		"inside":            {imaging.Shape{Width: 60, Height: 60}, 60, 40, gradient},
		"inside, larger":    {imaging.Shape{Width: 600, Height: 600}, 120, 80, gradient},
		"enlarged":          {imaging.Shape{Width: 240, Enlarge: true}, 240, 160, gradient},
		"fill":              {imaging.Shape{Width: 40, Height: 60, Fit: imaging.FitFill}, 40, 60, gradient},
		"fill, larger":      {imaging.Shape{Width: 200, Height: 40, Fit: imaging.FitFill}, 120, 40, gradient},
		"fill, enlarged":    {imaging.Shape{Width: 200, Height: 40, Fit: imaging.FitFill, Enlarge: true}, 200, 40, gradient},
		"cover":             {imaging.Shape{Width: 40, Height: 40, Fit: imaging.FitCover}, 40, 40, part(gradient, 1./6, 0, 5./6, 1)},
		"cover, larger":     {imaging.Shape{Width: 400, Height: 400, Fit: imaging.FitCover}, 80, 80, part(gradient, 1./6, 0, 5./6, 1)},
		"cover, enlarged":   {imaging.Shape{Width: 160, Height: 160, Fit: imaging.FitCover, Enlarge: true}, 160, 160, part(gradient, 1./6, 0, 5./6, 1)},
		"crop":              {imaging.Shape{Crop: imaging.Rect{X: 30, Y: 20, Width: 60, Height: 40}}, 60, 40, part(gradient, .25, .25, .75, .75)},
		"crop, beyond":      {imaging.Shape{Crop: imaging.Rect{X: 90, Y: 60, Width: 600, Height: 600}}, 30, 20, part(gradient, .75, .75, 1, 1)},
		"crop, outside":     {imaging.Shape{Crop: imaging.Rect{X: 120, Y: 60, Width: 6, Height: 6}}, 120, 80, gradient},
		"crop and width":    {imaging.Shape{Crop: imaging.Rect{X: 30, Y: 20, Width: 60, Height: 40}, Width: 30}, 30, 20, part(gradient, .25, .25, .75, .75)},
		"rotated by 90":     {imaging.Shape{Rotate: 90}, 80, 120, func(u, v float64) color.NRGBA { return gradient(v, 1-u) }},
		"rotated by 180":    {imaging.Shape{Rotate: 180}, 120, 80, func(u, v float64) color.NRGBA { return gradient(1-u, 1-v) }},
		"rotated by 270":    {imaging.Shape{Rotate: 270, Width: 40}, 40, 60, func(u, v float64) color.NRGBA { return gradient(1-v, u) }},
		"flipped":           {imaging.Shape{Flip: imaging.FlipHorizontal}, 120, 80, func(u, v float64) color.NRGBA { return gradient(1-u, v) }},
		"flipped down":      {imaging.Shape{Flip: imaging.FlipVertical}, 120, 80, func(u, v float64) color.NRGBA { return gradient(u, 1-v) }},
		"flipped both ways": {imaging.Shape{Flip: imaging.FlipBoth}, 120, 80, func(u, v float64) color.NRGBA { return gradient(1-u, 1-v) }},
		"everything": {
			imaging.Shape{Crop: imaging.Rect{Width: 60, Height: 80}, Rotate: 90, Flip: imaging.FlipHorizontal, Width: 20, Height: 20, Fit: imaging.FitCover, Position: imaging.Left},
			// Cut to the left half, turned and mirrored it is the picture's two axes exchanged; of its 80 × 60 the left 60.
			20, 20, func(u, v float64) color.NRGBA { return gradient(v/2, u*.75) },
		},
		"blurred": {imaging.Shape{Blur: 1}, 120, 80, gradient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, format := range []imaging.Format{imaging.PNG, imaging.JPEG} {
				if w, h := tc.shape.Size(shapedWidth, shapedHeight, format); w != tc.w || h != tc.h {
					t.Fatalf("Size says %d × %d", w, h)
				}
				for _, in := range []imaging.Format{imaging.PNG, imaging.JPEG} {
					files, rendered := render(t, encode(t, in, paint(shapedWidth, shapedHeight, gradient)), imaging.Output{Shape: tc.shape, Format: format, Quality: 90})
					m := decode(t, files[0])
					if b := m.Bounds(); b.Dx() != tc.w || b.Dy() != tc.h || rendered[0].Width != tc.w || rendered[0].Height != tc.h {
						t.Fatalf("%s to %s: %v, %+v", in, format, b, rendered[0])
					}
					if d := distance(m, tc.shows); d > 4 {
						t.Errorf("%s to %s: distance %.1f", in, format, d)
					}
				}
			}
		})
	}
}

// TestSizeIsTheTruth tries awkward combinations: whatever is asked for, it is as large as Size says.
func TestSizeIsTheTruth(t *testing.T) {
	t.Parallel()
	for _, picture := range [][2]int{{37, 23}, {1, 50}, {64, 1}, {33, 33}} {
		file := encode(t, imaging.PNG, paint(picture[0], picture[1], gradient))
		var outputs []imaging.Output
		check := func() {
			_, rendered := render(t, file, outputs...)
			for i, o := range outputs {
				if w, h := o.Size(picture[0], picture[1], o.Format); rendered[i].Width != w || rendered[i].Height != h {
					t.Errorf("%v, %+v: %+v, want %d × %d", picture, o.Shape, rendered[i], w, h)
				}
			}
			outputs = outputs[:0]
		}
		for _, fit := range []imaging.Fit{imaging.FitInside, imaging.FitCover, imaging.FitContain, imaging.FitFill} {
			for _, box := range [][2]int{{10, 10}, {17, 0}, {0, 9}, {50, 7}, {3, 90}} {
				for i := range 4 {
					outputs = append(outputs, imaging.Output{Format: imaging.PNG, Shape: imaging.Shape{
						Width: box[0], Height: box[1], Fit: fit, Enlarge: i%2 == 1, Rotate: 90 * i,
						Crop: imaging.Rect{X: 3 * i, Y: 2, Width: 20 * i, Height: 20 * i}, Blur: float64(i) / 4,
					}})
				}
				if len(outputs) == imaging.MaxOutputs {
					check()
				}
			}
		}
		check()
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	file := encode(t, imaging.PNG, paint(shapedWidth, shapedHeight, gradient))
	for position, at := range map[imaging.Position][2]float64{
		imaging.TopLeft: {0, 0}, imaging.Top: {.5, 0}, imaging.TopRight: {1, 0},
		imaging.Left: {0, .5}, imaging.Center: {.5, .5}, "": {.5, .5}, imaging.Right: {1, .5},
		imaging.BottomLeft: {0, 1}, imaging.Bottom: {.5, 1}, imaging.BottomRight: {1, 1},
	} {
		files, _ := render(t, file,
			imaging.Output{Shape: imaging.Shape{Width: 40, Height: 40, Fit: imaging.FitCover, Position: position}, Format: imaging.PNG},
			imaging.Output{Shape: imaging.Shape{Width: 60, Height: 20, Fit: imaging.FitCover, Position: position}, Format: imaging.PNG},
			imaging.Output{Shape: imaging.Shape{Width: 60, Height: 60, Fit: imaging.FitContain, Position: position}, Format: imaging.JPEG, Quality: 95},
			imaging.Output{Shape: imaging.Shape{Width: 200, Height: 80, Fit: imaging.FitContain, Position: position}, Format: imaging.JPEG, Quality: 95})
		u, v := at[0], at[1]
		within := func(u0, v0, u1, v1 float64) func(u, v float64) color.NRGBA {
			return func(u, v float64) color.NRGBA {
				if u < u0 || u > u1 || v < v0 || v > v1 {
					return white(u, v)
				}
				return gradient((u-u0)/(u1-u0), (v-v0)/(v1-v0))
			}
		}
		for i, shows := range []func(u, v float64) color.NRGBA{
			part(gradient, u/3, 0, u/3+2./3, 1),
			part(gradient, 0, v/2, 1, v/2+.5),
			within(0, v/3, 1, v/3+2./3),
			within(u*.4, 0, u*.4+.6, 1),
		} {
			if d := distance(decode(t, files[i]), shows); d > 4 {
				t.Errorf("%s, output %d: distance %.1f", position, i, d)
			}
		}
	}
}

func TestWhatDrawsTheEyeStays(t *testing.T) {
	t.Parallel()
	// A fine pattern in red, on the right of nothing.
	spot := func(u, v float64) color.NRGBA {
		if u > .8 && (int(u*30)+int(v*10))%2 == 0 {
			return color.NRGBA{230, 40, 40, 255}
		}
		return color.NRGBA{128, 128, 128, 255}
	}
	for name, file := range map[string][]byte{
		"still": encode(t, imaging.PNG, paint(120, 40, spot)), "turned": oriented(encode(t, imaging.JPEG, paint(120, 40, spot)), 3),
	} {
		for _, position := range []imaging.Position{imaging.Attention, imaging.Entropy} {
			files, _ := render(t, file, imaging.Output{
				Format: imaging.PNG,
				Shape:  imaging.Shape{Width: 40, Height: 40, Fit: imaging.FitCover, Position: position},
			})
			red := 0
			m := decode(t, files[0])
			for y := range 40 {
				for x := range 40 {
					if c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA); c.R > 180 && c.G < 90 {
						red++
					}
				}
			}
			if red < 200 {
				t.Errorf("%s, %s: %d red pixels are left", name, position, red)
			}
		}
	}
}

func TestBackground(t *testing.T) {
	t.Parallel()
	blue := imaging.Color{B: 255, Set: true}
	clear := func(u, v float64) color.NRGBA {
		if u < .5 {
			return color.NRGBA{60, 60, 60, 255}
		}
		return color.NRGBA{}
	}
	over := func(back color.NRGBA) func(u, v float64) color.NRGBA {
		return func(u, v float64) color.NRGBA {
			if c := clear(u, v); c.A > 0 {
				return c
			}
			return back
		}
	}
	file := encode(t, imaging.PNG, paint(80, 80, clear))
	opaque := encode(t, imaging.PNG, paint(80, 80, func(float64, float64) color.NRGBA { return color.NRGBA{60, 60, 60, 255} }))
	middle := func(back color.NRGBA) func(u, v float64) color.NRGBA {
		return func(u, _ float64) color.NRGBA {
			if u < .25 || u > .75 {
				return back
			}
			return color.NRGBA{60, 60, 60, 255}
		}
	}
	wide := imaging.Shape{Width: 160, Height: 80, Fit: imaging.FitContain}
	wideBlue := wide
	wideBlue.Background = blue
	for name, tc := range map[string]struct {
		file   []byte
		shape  imaging.Shape
		format imaging.Format
		shows  func(u, v float64) color.NRGBA
	}{
		"kept transparent":       {file, imaging.Shape{}, imaging.PNG, clear},
		"white in a JPEG":        {file, imaging.Shape{}, imaging.JPEG, over(color.NRGBA{255, 255, 255, 255})},
		"blue in a JPEG":         {file, imaging.Shape{Background: blue}, imaging.JPEG, over(color.NRGBA{0, 0, 255, 255})},
		"blue in a PNG":          {file, imaging.Shape{Background: blue}, imaging.PNG, over(color.NRGBA{0, 0, 255, 255})},
		"black":                  {file, imaging.Shape{Background: imaging.Color{Set: true}}, imaging.WebP, over(color.NRGBA{0, 0, 0, 255})},
		"around, transparent":    {opaque, wide, imaging.PNG, middle(color.NRGBA{})},
		"around, white":          {opaque, wide, imaging.JPEG, middle(color.NRGBA{255, 255, 255, 255})},
		"around, blue":           {opaque, wideBlue, imaging.PNG, middle(color.NRGBA{0, 0, 255, 255})},
		"around, blue in a JPEG": {opaque, wideBlue, imaging.JPEG, middle(color.NRGBA{0, 0, 255, 255})},
		"transparent in a GIF":   {file, imaging.Shape{}, imaging.GIF, clear},
	} {
		files, _ := render(t, tc.file, imaging.Output{Shape: tc.shape, Format: tc.format, Quality: 95})
		if d := distance(decode(t, files[0]), tc.shows); d > 4 {
			t.Errorf("%s: distance %.1f", name, d)
		}
	}
}

func TestBlur(t *testing.T) {
	t.Parallel()
	file := encode(t, imaging.PNG, noise(200, 200))
	last := 80.0
	for _, sigma := range []float64{0.5, 2, 8, 9, 40, 1000} {
		files, _ := render(t, file, imaging.Output{Shape: imaging.Shape{Blur: sigma}, Format: imaging.PNG})
		m := decode(t, files[0])
		d := distance(m, func(float64, float64) color.NRGBA { return color.NRGBA{128, 128, 128, 255} })
		if d > last || m.Bounds().Dx() != 200 {
			t.Errorf("sigma %v leaves %.1f after %.1f", sigma, d, last)
		}
		last = d
	}
	if last > 3 {
		t.Errorf("the widest blur leaves %.1f", last)
	}
}

func TestMasterServesLikeTheOriginal(t *testing.T) {
	t.Parallel()
	// Rings, finer than a small picture can show.
	rings := func(u, v float64) color.NRGBA {
		d := (u-.5)*(u-.5)*9 + (v-.5)*(v-.5)*4
		s := uint8(128 + 100*float64(int(d*20)%2))
		return color.NRGBA{s, uint8(255 * u), uint8(255 * v), 255}
	}
	file := encode(t, imaging.JPEG, paint(603, 401, rings))
	masters := withFiles(t, imaging.MasterOutputs(300))
	got, err := pool(t).Ingest(context.Background(), tempFile(t, file), imaging.IngestRequest{Outputs: masters})
	if err != nil || !got.Outputs[0].Made || got.Outputs[1].Made || got.Outputs[0].Width != 300 {
		t.Fatalf("%+v, %v", got, err)
	}
	shapes := []imaging.Shape{
		{Width: 100},
		{Height: 61},
		{Width: 50, Height: 50, Fit: imaging.FitCover, Position: imaging.Right},
		{Crop: imaging.Rect{X: 200, Y: 100, Width: 200, Height: 200}, Width: 80},
		{Rotate: 90, Width: 77},
	}
	var outputs []imaging.Output
	for _, s := range shapes {
		outputs = append(outputs, imaging.Output{Shape: s, Format: imaging.PNG})
	}
	direct, sizes := render(t, file, outputs...)
	outputs = withFiles(t, outputs)
	made, err := pool(t).Render(context.Background(), masters[0].File, imaging.RenderRequest{Width: 603, Height: 401, Outputs: outputs})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range contents(t, outputs) {
		if made[i].Width != sizes[i].Width || made[i].Height != sizes[i].Height {
			t.Errorf("%+v: %+v from the master, %+v from the original", shapes[i], made[i], sizes[i])
			continue
		}
		if d := imagetest.DSSIM(decode(t, direct[i]), decode(t, b)); d > 0.02 {
			t.Errorf("%+v: DSSIM %.4f", shapes[i], d)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	size := imaging.Shape{Width: 20}
	outputs := []imaging.Output{
		{Shape: size, Format: imaging.WebP},
		{Shape: size, Format: imaging.WebP, When: imaging.Condition{Still: true}},
		{Shape: size, Format: imaging.WebP, When: imaging.Condition{Animated: true}},
		{Shape: size, Format: imaging.WebP, When: imaging.Condition{Opaque: true}},
		{Shape: size, Format: imaging.WebP, When: imaging.Condition{Transparent: true}},
		{Shape: size, Format: imaging.WebP, When: imaging.Condition{LongerThan: 39}},
		{Shape: size, Format: imaging.WebP, When: imaging.Condition{LongerThan: 40}},
	}
	clear := func(u, v float64) color.NRGBA { return color.NRGBA{0, 0, 0, 100} }
	for name, tc := range map[string]struct {
		file []byte
		made string
	}{
		"opaque":      {encode(t, imaging.PNG, paint(40, 30, gradient)), "1101010"},
		"transparent": {encode(t, imaging.PNG, paint(40, 30, clear)), "1100110"},
		"animated":    {fixture(t, "animated.webp"), "1011010"},
		"small":       {encode(t, imaging.PNG, paint(20, 10, gradient)), "0000000"},
	} {
		got, err := ingest(t, tc.file, outputs...)
		if err != nil {
			t.Fatal(err)
		}
		made := ""
		for _, o := range got.Outputs {
			made += map[bool]string{true: "1", false: "0"}[o.Made]
		}
		if made != tc.made {
			t.Errorf("%s: made %s, want %s", name, made, tc.made)
		}
	}
}

func TestTooManyPixelsToMake(t *testing.T) {
	t.Parallel()
	outputs := withFiles(t, []imaging.Output{{Shape: imaging.Shape{Width: 2000, Height: 2000, Fit: imaging.FitContain}, Format: imaging.PNG}})
	_, err := pool(t).Render(context.Background(), tempFile(t, encode(t, imaging.PNG, paint(8, 8, gradient))),
		imaging.RenderRequest{Limits: imaging.Limits{MaxPixels: 3_000_000}, Outputs: outputs})
	sentence(t, wantError(t, err, imaging.ErrTooManyPixels))
	for _, o := range []imaging.Output{
		{Format: imaging.HEIC},
		{Format: imaging.PNG, Shape: imaging.Shape{Rotate: 45}},
		{Format: imaging.PNG, Shape: imaging.Shape{Blur: -1}},
		{Format: imaging.PNG, Shape: imaging.Shape{Width: 1 << 40}},
	} {
		_, err := pool(t).Render(context.Background(), tempFile(t, nil), imaging.RenderRequest{Outputs: withFiles(t, []imaging.Output{o})})
		if err == nil || errors.Is(err, imaging.ErrEmpty) {
			t.Errorf("%s: %v", fmt.Sprint(o.Shape), err)
		}
	}
}
