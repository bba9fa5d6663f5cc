// Draws a film with WebGL2: its values stay whole numbers of up to 16 bits until the window turns them into gray.

import { levelFor } from "./pixels.js";
import { matrix } from "./view.js";

const VERTEX = `#version 300 es
const vec2 corners[3] = vec2[3](vec2(-1.0, -1.0), vec2(3.0, -1.0), vec2(-1.0, 3.0));
void main() { gl_Position = vec4(corners[gl_VertexID], 0.0, 1.0); }`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform usampler2D film;
uniform sampler2D evidence;
uniform vec2 size;      // of the film, in its own pixels
uniform vec2 middle;    // of the film on the canvas, from its bottom left
uniform mat2 back;      // from canvas to film
uniform float low;
uniform float range;
uniform bool invert;
uniform float opacity;
uniform vec3 lens;      // middle and radius; radius 0 is none
out vec4 colour;

float value(ivec2 at, ivec2 last) { return float(texelFetch(film, clamp(at, ivec2(0), last), 0).r); }

void main() {
  if (lens.z > 0.0 && distance(gl_FragCoord.xy, lens.xy) > lens.z) discard;
  vec2 from = back * (gl_FragCoord.xy - middle);
  vec2 at = from / size + 0.5;
  if (any(lessThan(at, vec2(0.0))) || any(greaterThan(at, vec2(1.0)))) { colour = vec4(0.0, 0.0, 0.0, 1.0); return; }
  ivec2 cells = textureSize(film, 0);
  vec2 place = at * vec2(cells) - 0.5;
  vec2 part = fract(place);
  ivec2 cell = ivec2(floor(place));
  ivec2 last = cells - 1;
  float above = mix(value(cell, last), value(cell + ivec2(1, 0), last), part.x);
  float below = mix(value(cell + ivec2(0, 1), last), value(cell + ivec2(1, 1), last), part.x);
  float gray = clamp((mix(above, below, part.y) - low) / range, 0.0, 1.0);
  vec3 drawn = vec3(invert ? 1.0 - gray : gray);
  if (opacity > 0.0) {
    vec4 over = texture(evidence, at) * opacity;  // premultiplied
    drawn = drawn * (1.0 - over.a) + over.rgb;
  }
  colour = vec4(drawn, 1.0);
}`;

/** A renderer, or null where there is no WebGL2 (or it fails): then the 2D canvas draws. */
export function glRenderer(canvas) {
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, powerPreference: "low-power" });
  if (!gl) return null;
  const program = linked(gl);
  if (!program) return null;
  return new GlRenderer(gl, program);
}

function linked(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
}

class GlRenderer {
  name = "WebGL2";

  constructor(gl, program) {
    this.gl = gl;
    this.program = program;
    this.at = {};
    for (const name of ["film", "evidence", "size", "middle", "back", "low", "range", "invert", "opacity", "lens"]) {
      this.at[name] = gl.getUniformLocation(program, name);
    }
    this.largest = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    this.textures = new Map(); // level -> texture
    this.evidence = this.picture(null);
    gl.bindVertexArray(gl.createVertexArray());
    gl.useProgram(program);
    gl.uniform1i(this.at.film, 0);
    gl.uniform1i(this.at.evidence, 1);
  }

  setFilm(film) {
    for (const texture of this.textures.values()) this.gl.deleteTexture(texture);
    this.textures.clear();
    this.film = film;
  }

  setEvidence(bitmap) {
    this.gl.deleteTexture(this.evidence);
    this.evidence = this.picture(bitmap);
  }

  picture(bitmap) {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false); // the bitmap is premultiplied already
    if (bitmap) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    smooth(gl, gl.LINEAR);
    return texture;
  }

  texture(level) {
    if (!this.textures.has(level)) {
      const { gl } = this;
      const deep = level.data instanceof Uint16Array;
      const texture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
      gl.texImage2D(
        gl.TEXTURE_2D, 0, deep ? gl.R16UI : gl.R8UI, level.width, level.height, 0, gl.RED_INTEGER,
        deep ? gl.UNSIGNED_SHORT : gl.UNSIGNED_BYTE, level.data,
      );
      smooth(gl, gl.NEAREST); // whole numbers are not filtered by the hardware; the shader does it
      this.textures.set(level, texture);
    }
    return this.textures.get(level);
  }

  begin() {
    const { gl } = this;
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(0, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  /** Draw a pane: { left, top, width, height } in device pixels; `view` in device pixels too. */
  draw(pane, view, { window, invert, opacity, lens = null }) {
    const { gl, at, film } = this;
    const tall = gl.drawingBufferHeight;
    gl.enable(gl.SCISSOR_TEST);
    gl.viewport(0, 0, gl.drawingBufferWidth, tall);
    gl.scissor(pane.left, tall - pane.top - pane.height, pane.width, pane.height);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.evidence);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.texture(levelFor(film.levels, view.scale, this.largest)));
    const [a, b, c, d] = matrix(view);
    const area = a * d - b * c;
    // Canvas y points up, film y down: the second column changes its sign.
    gl.uniformMatrix2fv(at.back, false, [d / area, -b / area, c / area, -a / area]);
    gl.uniform2f(at.middle, pane.left + pane.width / 2 + view.x, tall - (pane.top + pane.height / 2 + view.y));
    gl.uniform2f(at.size, film.width, film.height);
    gl.uniform1f(at.low, window.centre - window.width / 2);
    gl.uniform1f(at.range, window.width);
    gl.uniform1i(at.invert, invert ? 1 : 0);
    gl.uniform1f(at.opacity, opacity);
    gl.uniform3f(at.lens, lens ? lens.x : 0, lens ? tall - lens.y : 0, lens ? lens.radius : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  end() {}

  free() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

function smooth(gl, filter) {
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
}
