// Volumes of bytes (S, H, W) as the report holds them, and what is counted on them. No drawing.
"use strict";

const volumes = {
  OUTSIDE: 1,
  INSIDE: 2,

  // Bytes of a volume that was deflated and written in base64.
  async unpacked(text) {
    const raw = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  },

  // 26-connected components of a mask: a label (1 …) for every voxel, and their sizes; sizes[0] is unused.
  components(mask, [slices, rows, columns]) {
    const labels = new Int32Array(mask.length), sizes = [0], stack = [];
    const near = [-1, 0, 1];
    for (let start = 0; start < mask.length; start++) {
      if (!mask[start] || labels[start]) continue;
      const label = sizes.length;
      sizes.push(0);
      labels[start] = label;
      stack.push(start);
      while (stack.length) {
        const place = stack.pop();
        sizes[label]++;
        const x = place % columns, y = Math.floor(place / columns) % rows, z = Math.floor(place / (columns * rows));
        for (const dz of near) {
          if (z + dz < 0 || z + dz >= slices) continue;
          for (const dy of near) {
            if (y + dy < 0 || y + dy >= rows) continue;
            for (const dx of near) {
              if (x + dx < 0 || x + dx >= columns) continue;
              const other = place + (dz * rows + dy) * columns + dx;
              if (mask[other] && !labels[other]) {
                labels[other] = label;
                stack.push(other);
              }
            }
          }
        }
      }
    }
    return { labels, sizes };
  },

  // What lies above a level, without components smaller than a number of voxels.
  above(map, level, brain, shape, smallest) {
    const mask = new Uint8Array(map.length);
    for (let place = 0; place < map.length; place++) mask[place] = brain[place] && map[place] > level ? 1 : 0;
    const { labels, sizes } = volumes.components(mask, shape);
    let number = 0;
    for (let label = 1; label < sizes.length; label++) number += sizes[label] >= smallest ? 1 : 0;
    for (let place = 0; place < mask.length; place++) if (labels[place] && sizes[labels[place]] < smallest) mask[place] = 0;
    return { mask, number };
  },

  // Dice 2 |A and B| / (|A| + |B|) with the reference inside the brain; NaN where both are empty.
  dice(mask, reference) {
    let both = 0, all = 0;
    for (let place = 0; place < mask.length; place++) {
      const wanted = reference[place] === volumes.INSIDE ? 1 : 0;
      both += mask[place] & wanted;
      all += mask[place] + wanted;
    }
    return (2 * both) / all;
  },

  // Lesions of at least three voxels, and those of which at least a tenth is predicted.
  found(mask, lesions) {
    const hit = new Array(lesions.sizes.length).fill(0);
    for (let place = 0; place < mask.length; place++) hit[lesions.labels[place]] += mask[place];
    let number = 0, noticed = 0;
    for (let label = 1; label < hit.length; label++) {
      if (lesions.sizes[label] < 3) continue;
      number++;
      noticed += 10 * hit[label] >= lesions.sizes[label] ? 1 : 0;
    }
    return { number, noticed };
  },
};
