#include "internal.h"

/* Alpha is multiplied in while neighbours are mixed, so that the colour of transparent pixels does not bleed. Multiplied
 * values go back to integers: three times as fast as floats, and exact where anything is visible. */
static int
multiply(VipsObject *context, VipsImage *in, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 1);

	return vips_premultiply(in, &t[0], NULL) || vips_cast(t[0], out, vips_image_get_format(in), NULL);
}

static int
divide(VipsObject *context, VipsImage *in, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 1);

	return vips_unpremultiply(in, &t[0], NULL) || vips_cast(t[0], out, vips_image_get_format(in), NULL);
}

static int
scale(VipsImage *in, int width, int height, VipsImage **out)
{
	return vips_resize(in, out, (double) width / in->Xsize, "vscale", (double) height / in->Ysize, NULL);
}

int
kadr_resize(VipsObject *context, VipsImage *in, int width, int height, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 2);

	if (in->Xsize == width && in->Ysize == height) {
		*out = g_object_ref(in);
		return 0;
	}
	if (!vips_image_hasalpha(in))
		return scale(in, width, height, out);
	return multiply(context, in, &t[0]) || scale(t[0], width, height, &t[1]) || divide(context, t[1], out);
}

/* Forgets everything but the pixels. The savers' own "strip" is not enough: libvips 8.14.1 writes EXIF into a WebP,
 * GPS and all, whatever it says. */
static void
forget(VipsImage *image)
{
	char **fields = vips_image_get_fields(image);

	for (int i = 0; fields != NULL && fields[i] != NULL; i++)
		vips_image_remove(image, fields[i]);
	g_strfreev(fields);
}

/* Converts to 8-bit sRGB or, for what has no colour, 8-bit grey, without metadata. A profile that cannot be used is
 * ignored, as browsers do. */
int
kadr_to_srgb(VipsObject *context, VipsImage *in, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 5);
	int profile = vips_image_get_typeof(in, VIPS_META_ICC_NAME) != 0;
	VipsInterpretation wanted;
	int cmyk = in->Type == VIPS_INTERPRETATION_CMYK;

	if (profile || cmyk) {
		if (!vips_icc_transform(in, &t[0], "srgb", "embedded", TRUE, "input_profile", cmyk ? "cmyk" : "srgb", NULL))
			in = t[0];
		else
			vips_error_clear();
	}
	/* Most pictures are there already, and for a tiny one each operation costs more than its pixels. */
	wanted = in->Bands < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
	if (in->Type != wanted) {
		if (vips_colourspace(in, &t[1], wanted, NULL))
			return -1;
		in = t[1];
	}
	if (in->BandFmt != VIPS_FORMAT_UCHAR) {
		if (vips_cast(in, &t[2], VIPS_FORMAT_UCHAR, NULL))
			return -1;
		in = t[2];
	}
	if (in->Bands > 4) { /* a TIFF may have any number */
		if (vips_extract_band(in, &t[3], 0, "n", 4, NULL))
			return -1;
		in = t[3];
	}
	if (vips_copy(in, out, NULL))
		return -1;
	forget(*out);
	return 0;
}

int
kadr_orient(VipsObject *context, VipsImage *in, int orientation, VipsImage **out)
{
	static const VipsAngle angle[9] = {0, VIPS_ANGLE_D0, VIPS_ANGLE_D0, VIPS_ANGLE_D180, VIPS_ANGLE_D180,
		VIPS_ANGLE_D90, VIPS_ANGLE_D90, VIPS_ANGLE_D270, VIPS_ANGLE_D270};
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 1);
	int mirrored = orientation == 2 || orientation == 4 || orientation == 5 || orientation == 7;

	if (!mirrored)
		return vips_rot(in, out, angle[orientation], NULL);
	return vips_rot(in, &t[0], angle[orientation], NULL) || vips_flip(t[0], out, VIPS_DIRECTION_HORIZONTAL, NULL);
}

/* Finds the part that draws the eye. */
int
kadr_seek(VipsObject *context, VipsImage *in, const KadrOutput *output, int *left, int *top)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 1);

	if (vips_smartcrop(in, &t[0], output->canvas_width, output->canvas_height, "interesting",
			output->seek == KADR_SEEK_ATTENTION ? VIPS_INTERESTING_ATTENTION : VIPS_INTERESTING_ENTROPY, NULL))
		return -1;
	*left = -vips_image_get_xoffset(t[0]);
	*top = -vips_image_get_yoffset(t[0]);
	return 0;
}

static int
coloured(const KadrOutput *output)
{
	return output->background[0] != output->background[1] || output->background[1] != output->background[2];
}

/* Lays what is transparent on the background. */
int
kadr_flatten(VipsObject *context, VipsImage *in, const KadrOutput *output, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 1);
	const unsigned char *c = output->background;
	VipsArrayDouble *background;
	int result;

	if (!vips_image_hasalpha(in) || !output->opaque) {
		*out = g_object_ref(in);
		return 0;
	}
	if (in->Bands < 3 && coloured(output)) {
		if (vips_colourspace(in, &t[0], VIPS_INTERPRETATION_sRGB, NULL))
			return -1;
		in = t[0];
	}
	background = in->Bands < 3 ? vips_array_double_newv(1, (double) c[0])
							   : vips_array_double_newv(3, (double) c[0], (double) c[1], (double) c[2]);
	result = vips_flatten(in, out, "background", background, NULL);
	vips_area_unref(VIPS_AREA(background));
	return result;
}

/* Puts the canvas around the picture, or cuts the picture to it. */
int
kadr_place(VipsObject *context, VipsImage *in, const KadrOutput *output, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 2);
	const unsigned char *c = output->background;
	VipsArrayDouble *background;
	int result;

	if (in->Xsize == output->canvas_width && in->Ysize == output->canvas_height) {
		*out = g_object_ref(in);
		return 0;
	}
	if (in->Xsize >= output->canvas_width && in->Ysize >= output->canvas_height)
		return vips_extract_area(in, out, output->canvas_left, output->canvas_top, output->canvas_width,
			output->canvas_height, NULL);
	if (in->Bands < 3 && output->opaque && coloured(output)) {
		if (vips_colourspace(in, &t[0], VIPS_INTERPRETATION_sRGB, NULL))
			return -1;
		in = t[0];
	}
	if (!output->opaque && !vips_image_hasalpha(in)) {
		if (vips_addalpha(in, &t[1], NULL))
			return -1;
		in = t[1];
	}
	switch (in->Bands) {
	case 1:
		background = vips_array_double_newv(1, (double) c[0]);
		break;
	case 3:
		background = vips_array_double_newv(3, (double) c[0], (double) c[1], (double) c[2]);
		break;
	default: /* transparent */
		background = vips_array_double_newv(1, 0.0);
	}
	result = vips_embed(in, out, -output->canvas_left, -output->canvas_top, output->canvas_width, output->canvas_height,
		"extend", VIPS_EXTEND_BACKGROUND, "background", background, NULL);
	vips_area_unref(VIPS_AREA(background));
	return result;
}

/* A wide blur leaves nothing that a smaller picture could not hold: it is made in one, or it would take a time that
 * grows with its width. */
int
kadr_blur(VipsObject *context, VipsImage *in, double sigma, VipsImage **out)
{
	VipsImage **t = (VipsImage **) vips_object_local_array(context, 4);
	int alpha = vips_image_hasalpha(in);
	int width = in->Xsize, height = in->Ysize;
	int factor = sigma > 8 ? (int) (sigma / 4) : 1;

	if (alpha) {
		if (multiply(context, in, &t[0]))
			return -1;
		in = t[0];
	}
	if (factor > 1) {
		if (scale(in, VIPS_MAX(1, width / factor), VIPS_MAX(1, height / factor), &t[1]))
			return -1;
		in = t[1];
	}
	if (vips_gaussblur(in, &t[2], sigma / factor, NULL))
		return -1;
	in = t[2];
	if (factor > 1) {
		if (scale(in, width, height, &t[3]))
			return -1;
		in = t[3];
	}
	if (alpha)
		return divide(context, in, out);
	*out = g_object_ref(in);
	return 0;
}
