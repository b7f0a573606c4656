"""``streamspace.api``: sessions, users and templates; endpoints of the plugin's own, and any other request."""

from .api_request import request as request
from .endpoints import register_endpoint as register_endpoint
from .sessions import create_session as create_session
from .sessions import delete_session as delete_session
from .sessions import get_session as get_session
from .sessions import get_sessions as get_sessions
from .sessions import get_user_sessions as get_user_sessions
from .sessions import update_session as update_session
from .templates import create_template as create_template
from .templates import get_template as get_template
from .templates import get_templates as get_templates
from .users import create_user as create_user
from .users import delete_user as delete_user
from .users import get_user as get_user
from .users import get_users as get_users
from .users import update_user as update_user
