"""The arithmetic of the stage, without a session: python3 -m unittest"""

import unittest

import numpy as np

import stage


class Arithmetic(unittest.TestCase):
    def test_each_channel_loses_the_mean_of_its_frame_and_is_multiplied(self):
        frames = np.array([[1.0, 2.0, 6.0], [-4.0, 0.0, 4.0]])
        referenced = np.empty_like(frames)
        stage.average_reference(frames, 2.0, referenced)
        self.assertEqual(referenced.tolist(), [[-4.0, -2.0, 6.0], [-8.0, 0.0, 8.0]])


if __name__ == "__main__":
    unittest.main()
