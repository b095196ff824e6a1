import Shiplog
